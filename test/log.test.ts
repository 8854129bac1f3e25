import { expect, test } from "vitest";
import { captureLog } from "./support/log.ts";

const secrets = [
  "ghs_16C7e42F292c6912E7",
  "ghs_12_eyJhbGciOi.eyJpc3MiOi.sig-na_ture",
  "github_pat_11ABCDE_xyz",
];

test.each(secrets)("an error that quotes the token %s is logged without it", (secret) => {
  const { log, text } = captureLog();
  const error = Object.assign(new Error(`401 for ${secret}`), {
    request: { headers: { authorization: secret } },
  });

  log.error({ err: error, headers: { authorization: secret } }, "request failed");

  expect(text()).toContain("request failed");
  expect(text()).not.toContain(secret.slice(4, 20));
});

test("a signed archive's address is logged without its token", () => {
  const { log, text } = captureLog();

  log.warn(
    { err: new Error("failed https://codeload.example/x.tar.gz?token=SECRETSECRET") },
    "archive failed",
  );

  expect(text()).toContain("?token=[token]");
  expect(text()).not.toContain("SECRETSECRET");
});
