import { once } from "node:events";
import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";

export type ColumnType = "int8" | "int4" | "bool" | "text" | "bytea" | "float8";

export interface Column {
  name: string;
  type: ColumnType;
}

/** postgresql.org/docs/current/sql-copy.html, "Binary Format". */
const SIGNATURE = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
const TRAILER = Buffer.from([0xff, 0xff]);
const BUFFER_BYTES = 256 * 1024;

/** A text with a NUL, which PostgreSQL cannot store: caught here, since it would abort the whole COPY unnamed. */
export class NulInText extends Error {
  override readonly name = "NulInText";
  constructor(column: string) {
    super(`The value for column ${column} holds a NUL character, which PostgreSQL cannot store as text.`);
  }
}

/** A table and those of its columns that are loaded, in their order. */
export interface CopyTarget {
  table: string;
  columns: Column[];
}

/** Loads rows by binary COPY, with back-pressure. Answers how many rows the database took. */
export async function copyRows(
  client: pg.ClientBase,
  { rows, ...target }: CopyTarget & { rows: Iterable<unknown[]> },
): Promise<number> {
  return await copyEncoded(client, { ...target, pieces: encodeCopy(target.columns, rows) });
}

/**
 * A whole binary COPY stream of the rows, in pieces that each have a buffer of their own. Text may be a string or
 * its UTF-8 bytes; int8 a number, bigint or decimal string.
 */
export function* encodeCopy(
  columns: Column[],
  rows: Iterable<unknown[]>,
): Generator<Uint8Array<ArrayBuffer>> {
  const encoder = new RowEncoder(columns);
  for (const row of rows) if (encoder.add(row)) yield encoder.take();
  yield encoder.end();
}

/** Sends what encodeCopy made, with back-pressure. Answers how many rows the database took. */
export async function copyEncoded(
  client: pg.ClientBase,
  options: CopyTarget & { pieces: Iterable<Uint8Array> },
): Promise<number> {
  const names = options.columns.map((column) => `"${column.name}"`).join(", ");
  const stream = client.query(copyFrom(`copy "${options.table}" (${names}) from stdin (format binary)`));
  const finished = new Promise<void>((resolve, reject) => stream.on("finish", resolve).on("error", reject));
  finished.catch(() => {}); // awaited below; a failure in between must not be unhandled
  try {
    for (const piece of options.pieces) {
      if (!stream.write(piece)) await Promise.race([once(stream, "drain"), finished]);
    }
    stream.end();
    await finished;
    return stream.rowCount;
  } catch (error) {
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
    await finished.catch(() => {});
    throw error;
  }
}

/** Writes PGCOPY tuples into a growing buffer that is handed over whenever it is full. */
class RowEncoder {
  readonly #columns: Column[];
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = SIGNATURE.copy(this.#buffer);

  constructor(columns: Column[]) {
    this.#columns = columns;
  }

  /** Adds a row; true when the buffer is worth sending. */
  add(row: unknown[]): boolean {
    this.#reserve(2);
    this.#used = this.#buffer.writeInt16BE(this.#columns.length, this.#used);
    this.#columns.forEach((column, i) => {
      this.#value(column, row[i]);
    });
    return this.#used >= BUFFER_BYTES / 2;
  }

  take(): Buffer<ArrayBuffer> {
    const full = this.#buffer.subarray(0, this.#used);
    this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#used = 0;
    return full;
  }

  end(): Buffer<ArrayBuffer> {
    this.#reserve(TRAILER.length);
    this.#used += TRAILER.copy(this.#buffer, this.#used);
    return this.take();
  }

  #value({ name, type }: Column, value: unknown): void {
    if (value === null || value === undefined) {
      this.#length(-1);
      return;
    }
    switch (type) {
      case "int8":
        this.#length(8);
        this.#used = this.#buffer.writeBigInt64BE(BigInt(value as string), this.#used);
        return;
      case "int4":
        this.#length(4);
        this.#used = this.#buffer.writeInt32BE(Number(value), this.#used);
        return;
      case "float8":
        this.#length(8);
        this.#used = this.#buffer.writeDoubleBE(Number(value), this.#used);
        return;
      case "bool":
        this.#length(1);
        this.#used = this.#buffer.writeUInt8(value ? 1 : 0, this.#used);
        return;
      case "text":
        this.#bytes(textBytes(name, value));
        return;
      case "bytea":
        this.#bytes(value as Buffer);
    }
  }

  #bytes(bytes: Uint8Array): void {
    this.#length(bytes.length);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** Writes a field's length and makes room for the field. */
  #length(bytes: number): void {
    this.#reserve(4 + Math.max(0, bytes));
    this.#used = this.#buffer.writeInt32BE(bytes, this.#used);
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#used + bytes));
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }
}

/** A lone surrogate has no UTF-8 form and becomes U+FFFD. */
function textBytes(column: string, value: unknown): Uint8Array {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value));
  if (bytes.includes(0)) throw new NulInText(column);
  return bytes;
}
