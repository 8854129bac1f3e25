import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ConfigError, loadApiToken, readConfig } from "../src/config.ts";

const pem = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs1", format: "pem" })
  .toString();
const enough = { APP_ID: "12", PRIVATE_KEY: pem, WEBHOOK_SECRET: "0123456789abcdef" };

function faultsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

describe("readConfig", () => {
  test("needs three values and has defaults for the rest", () => {
    expect(readConfig(enough)).toMatchObject({
      appId: "12",
      host: "127.0.0.1",
      port: 3000,
      access: "token",
      databaseUrl: null,
      leaseSeconds: 15,
      stallSeconds: 600,
      runSlots: 4,
      maxFileBytes: 1_048_576,
      githubUrl: null,
    });
  });

  test("names all that is missing at once", () => {
    const faults = faultsOf({});

    expect(faults).toHaveLength(3);
    expect(faults.join("\n")).toMatch(/APP_ID[\s\S]+PRIVATE_KEY[\s\S]+WEBHOOK_SECRET/);
  });

  test.each([
    ["APP_ID", "my-app", /APP_ID must be a number/],
    ["PRIVATE_KEY", "hello", /no PEM key/],
    ["WEBHOOK_SECRET", "short", /WEBHOOK_SECRET is too weak/],
    ["WEBHOOK_SECRET", "development", /WEBHOOK_SECRET is too weak/],
    ["WEBHOOK_SECRET_PREVIOUS", "short", /WEBHOOK_SECRET_PREVIOUS is too weak/],
    ["API_TOKEN", "short", /API_TOKEN is too weak/],
    ["API_TOKEN", "sixteen letters and spaces", /API_TOKEN may hold only/],
    ["PORT", "99999", /PORT must be a whole number from 0 to 65535/],
    ["LEASE_SECONDS", "soon", /LEASE_SECONDS must be a whole number/],
    ["PUBLIC_URL", "example.com", /PUBLIC_URL must be an http\(s\) address/],
    ["LOG_LEVEL", "loud", /LOG_LEVEL must be one of/],
    ["ACCESS", "everyone", /ACCESS must be "token" or "open"/],
    ["DATABASE_URL", "mysql://x", /DATABASE_URL/],
  ])("refuses %s=%s with a sentence", (name, value, sentence) => {
    expect(faultsOf({ ...enough, [name]: value }).join("\n")).toMatch(sentence);
  });

  test("allows open access on a loopback host only", () => {
    expect(faultsOf({ ...enough, ACCESS: "open", HOST: "0.0.0.0" }).join()).toMatch(/loopback HOST/);
    expect(readConfig({ ...enough, ACCESS: "open", HOST: "::1" }).access).toBe("open");
  });

  test.each([
    ["with escaped line ends", pem.trim().replaceAll("\n", "\\n")],
    ["in quotes", `"${pem.trim().replaceAll("\n", "\\n")}"`],
    ["as base64", Buffer.from(pem).toString("base64")],
  ])("takes a private key %s", (_, key) => {
    expect(readConfig({ ...enough, PRIVATE_KEY: key }).privateKey).toBe(pem);
  });

  test("takes a private key from a file, and says so when there is none", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "config-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, "key.pem");
    writeFileSync(file, pem);
    const { PRIVATE_KEY: _, ...rest } = enough;

    expect(readConfig({ ...rest, PRIVATE_KEY_PATH: file }).privateKey).toBe(pem);
    expect(faultsOf({ ...rest, PRIVATE_KEY_PATH: `${file}x` }).join()).toMatch(/does not exist/);
  });

  test("finds GitHub Enterprise Server's REST root", () => {
    expect(readConfig({ ...enough, GHE_HOST: "git.example.com" }).githubUrl).toBe(
      "https://git.example.com/api/v3",
    );
  });
});

test("the operator's token is made once, for the owner's eyes only", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));

  const first = loadApiToken(folder);
  const second = loadApiToken(folder);

  expect(first.created).toBe(true);
  expect(first.token.length).toBeGreaterThanOrEqual(32);
  expect(second).toEqual({ token: first.token, created: false });
  expect(statSync(path.join(folder, "api-token")).mode & 0o777).toBe(0o600);
});
