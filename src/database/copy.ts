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

/**
 * Loads rows by binary COPY, with back-pressure. Text may be a string or its UTF-8 bytes; int8 a number, bigint
 * or decimal string. Answers how many rows were sent.
 */
export async function copyRows(
  client: pg.ClientBase,
  options: { table: string; columns: Column[]; rows: Iterable<unknown[]> },
): Promise<number> {
  const { columns } = options;
  const names = columns.map((column) => `"${column.name}"`).join(", ");
  const stream = client.query(copyFrom(`copy "${options.table}" (${names}) from stdin (format binary)`));
  const finished = new Promise<void>((resolve, reject) => stream.on("finish", resolve).on("error", reject));
  finished.catch(() => {}); // awaited below; a failure in between must not be unhandled
  const encoder = new RowEncoder(columns);
  try {
    let count = 0;
    for (const row of options.rows) {
      const full = encoder.add(row);
      count += 1;
      if (full && !stream.write(encoder.take())) await Promise.race([once(stream, "drain"), finished]);
    }
    stream.end(encoder.end());
    await finished;
    return count;
  } catch (error) {
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
    await finished.catch(() => {});
    throw error;
  }
}

/** Writes PGCOPY tuples into a growing buffer that is handed over whenever it is full. */
class RowEncoder {
  readonly #columns: Column[];
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES * 2);
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
    return this.#used >= BUFFER_BYTES;
  }

  take(): Buffer {
    const full = this.#buffer.subarray(0, this.#used);
    this.#buffer = Buffer.allocUnsafe(BUFFER_BYTES * 2);
    this.#used = 0;
    return full;
  }

  end(): Buffer {
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
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#used + bytes));
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
