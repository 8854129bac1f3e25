import { type Kysely, sql } from "kysely";
import type { Transaction } from "../database/connect.ts";
import { copyEncoded } from "../database/copy.ts";
import { notify } from "../database/notify.ts";
import type { Tables } from "../database/schema.ts";
import { encodeMembers, type MemberBlob } from "./members.ts";
import { POSTING_COLUMNS } from "./segment.ts";

/** Told whenever a segment was added. */
export const SEGMENTS_CHANNEL = "segments";

/** A number for a segment that is about to be made. */
export async function drawSegmentId(db: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    select nextval(pg_get_serial_sequence('gram_segments', 'id'))::text as id`.execute(db);
  return rows[0]?.id as string;
}

/** What a segment is made of: the blobs of each of its repositories, in the order of their units. */
export interface SegmentPart {
  repository_id: string;
  blobs: MemberBlob[];
}

/**
 * Stores a segment whose rows are encoded already (POSTING_COLUMNS), or stored. It is seen once the transaction is
 * committed.
 */
export async function storeSegment(
  { trx, client }: Transaction,
  { id, parts, postings }: { id: string; parts: SegmentPart[]; postings: Iterable<Uint8Array> | null },
): Promise<void> {
  const units = parts.reduce((sum, { blobs }) => sum + countUnits(blobs), 0);
  await sql`insert into gram_segments (id, units) overriding system value values (${id}, ${units})`.execute(
    trx,
  );
  for (const [position, { repository_id, blobs }] of parts.entries()) {
    const chunks = countChunks(blobs);
    const last = blobs.at(-1);
    await trx
      .insertInto("gram_parts")
      .values({
        segment_id: id,
        position,
        repository_id,
        first_chunk: blobs[0]?.first ?? 0,
        last_chunk: last ? last.first + countChunks([last]) - 1 : 0,
        chunks,
        members: encodeMembers(blobs),
      })
      .execute();
  }
  if (postings)
    await copyEncoded(client, { table: "gram_postings", columns: POSTING_COLUMNS, pieces: postings });
  await notify(trx, SEGMENTS_CHANNEL);
}

function countUnits(blobs: MemberBlob[]): number {
  return blobs.reduce((sum, { units }) => sum + units.length, 0);
}

/** How many chunks these blobs have. */
function countChunks(blobs: MemberBlob[]): number {
  return blobs.reduce((sum, { units }) => sum + units.reduce((all, size) => all + size, 0), 0);
}
