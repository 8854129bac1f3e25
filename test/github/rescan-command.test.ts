import { expect, test } from "vitest";
import { parseRescanCommand } from "../../src/github/rescan-command.ts";

const incremental = { kind: "rescan", mode: "incremental" };
const full = { kind: "rescan", mode: "full" };

test.each<[string, unknown]>([
  ["/rescan", incremental],
  ["  /rescan  ", incremental],
  ["/rescan full", full],
  ["/RESCAN Full", full],
  ["Thanks!\r\n/rescan\r\nplease", incremental],
  ["/rescan everything", { kind: "unknown_option", option: "everything" }],
  ["/rescanning", null],
  ["please /rescan", null],
  ["> /rescan", null],
  ["    /rescan", null],
  ["\t/rescan", null],
  ["```\n/rescan\n```", null],
  ["```sh\n/rescan\n```\n/rescan full", full],
  ["~~~~\n/rescan\n~~~\n/rescan full\n~~~~", null],
  ["````\n```\n/rescan\n````", null],
  ["`/rescan`", null],
  ["<!-- \n/rescan\n -->", null],
  ["", null],
])("%j asks for %j", (body, command) => {
  expect(parseRescanCommand(body)).toEqual(command);
});
