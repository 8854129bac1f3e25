import { expect, inject, test } from "vitest";
import { connect } from "../../src/database/connect.ts";
import { checkSuitability, DatabaseUnsuitable } from "../../src/database/suitability.ts";
import { useDatabase } from "../support/database.ts";
import { administer, configOf, urlOf } from "../support/databases.ts";
import { captureLog } from "../support/log.ts";

const database = useDatabase();

test("a database in UTF-8 on a server of our time is accepted", async () => {
  await expect(checkSuitability(database.connection, captureLog().log)).resolves.toBeUndefined();
});

test("a database in another encoding is refused with the statement that makes a right one", async () => {
  const { url, prefix } = inject("server");
  const name = `${prefix}latin1`;
  await administer(url, `create database "${name}" encoding 'SQL_ASCII' locale 'C' template template0`);
  const { log } = captureLog();
  const connection = connect({ connection: configOf(urlOf(url, name)), log });

  const checking = checkSuitability(connection, log);

  await expect(checking).rejects.toThrow(DatabaseUnsuitable);
  await expect(checking).rejects.toThrow(
    "encoding is SQL_ASCII. Create one with: create database repodex encoding 'UTF8'",
  );
  await connection.close();
  await administer(url, `drop database "${name}" with (force)`);
});
