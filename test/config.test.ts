import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseEnv } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { ConfigError, loadApiToken, readConfig, readSetupConfig } from "../src/config.ts";
import { credentialsFile, type StoredCredentials, storeCredentials } from "../src/credentials.ts";

const pem = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs1", format: "pem" })
  .toString();
const enough = { APP_ID: "12", PRIVATE_KEY: pem, WEBHOOK_SECRET: "0123456789abcdef" };

function faultsOf(
  env: Record<string, string>,
  read: (env: NodeJS.ProcessEnv) => unknown = readConfig,
): string[] {
  try {
    read(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

function emptyFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
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

  describe("lets people sign in at GitHub", () => {
    const client = { GITHUB_CLIENT_ID: "Iv23li", GITHUB_CLIENT_SECRET: "secret" };

    test.each([
      ["on this machine itself", {}, "github"],
      ["under https", { HOST: "0.0.0.0", PUBLIC_URL: "https://repodex.example.com" }, "github"],
      ["under http on this machine", { PUBLIC_URL: "http://[::1]:3000" }, "github"],
      ["not below a path", { PUBLIC_URL: "https://example.com/repodex" }, "token"],
      ["not under http elsewhere", { PUBLIC_URL: "http://repodex.example.com" }, "token"],
      ["not where nobody knows the address", { HOST: "0.0.0.0" }, "token"],
      ["not where ACCESS says otherwise", { ACCESS: "token" }, "token"],
    ])("when there is a client: %s", (_where, env, access) => {
      expect(readConfig({ ...enough, ...client, ...env })).toMatchObject({
        access,
        client: { id: "Iv23li", secret: "secret" },
      });
    });

    test.each<[string, Record<string, string>, RegExp]>([
      ["no client", { ACCESS: "github" }, /ACCESS=github needs GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET/],
      ["half a client", { GITHUB_CLIENT_ID: "Iv23li" }, /belong together/],
      ["no address", { ...client, ACCESS: "github", HOST: "0.0.0.0" }, /needs PUBLIC_URL/],
      [
        "an open one",
        { ...client, ACCESS: "github", PUBLIC_URL: "http://a.example" },
        /an https PUBLIC_URL, not http:/,
      ],
      [
        "a path",
        { ...client, ACCESS: "github", PUBLIC_URL: "https://a.example/repodex/" },
        /a PUBLIC_URL without a path, not https:\/\/a\.example\/repodex:/,
      ],
    ])("and is refused with a sentence where there is %s", (_what, env, sentence) => {
      expect(faultsOf({ ...enough, ...env }).join()).toMatch(sentence);
    });

    test("with operators by login, in any case", () => {
      expect(readConfig({ ...enough, OPERATORS: "Octocat, hubot,,octo_corp " }).operators).toEqual([
        "octocat",
        "hubot",
        "octo_corp",
      ]);
      expect(faultsOf({ ...enough, OPERATORS: "octocat;hubot" }).join()).toMatch(/"octocat;hubot" is none/);
    });
  });

  test.each([
    ["HTTPS://Repodex.Example.com:443/", "https://repodex.example.com"],
    [" https://repodex.example.com ", "https://repodex.example.com"],
    ["https://user:secret@repodex.example.com/?a#b", "https://repodex.example.com"],
    ["http://example.com/repodex//", "http://example.com/repodex"],
  ])("takes PUBLIC_URL %s as browsers write it: cookies and origins go by that", (PUBLIC_URL, publicUrl) => {
    expect(readConfig({ ...enough, PUBLIC_URL }).publicUrl).toBe(publicUrl);
  });

  test("names all that is missing at once", () => {
    const faults = faultsOf({ DATA_DIR: emptyFolder() });

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
    ["ACCESS", "everyone", /ACCESS must be "github", "token" or "open"/],
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
    const file = path.join(emptyFolder(), "key.pem");
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
  const folder = emptyFolder();

  const first = loadApiToken(folder);
  const second = loadApiToken(folder);

  expect(first.created).toBe(true);
  expect(first.token.length).toBeGreaterThanOrEqual(32);
  expect(second).toEqual({ token: first.token, created: false });
  expect(statSync(path.join(folder, "api-token")).mode & 0o777).toBe(0o600);
});

const stored: StoredCredentials = {
  APP_ID: "34",
  PRIVATE_KEY: pem,
  WEBHOOK_SECRET: "fedcba9876543210",
  GITHUB_CLIENT_ID: "Iv23",
  GITHUB_CLIENT_SECRET: "a client secret",
  PUBLIC_URL: "https://stored.example.com",
  slug: "repodex",
  html_url: "https://github.com/apps/repodex",
};

function folderWith(content: string | StoredCredentials): { DATA_DIR: string; file: string } {
  const DATA_DIR = emptyFolder();
  const file = credentialsFile(DATA_DIR);
  if (typeof content === "string") writeFileSync(file, content, { mode: 0o600 });
  else storeCredentials(DATA_DIR, content);
  return { DATA_DIR, file };
}

describe("stored credentials", () => {
  test("count where the environment has none, and make no set-up necessary", () => {
    const { DATA_DIR } = folderWith(stored);

    expect(readConfig({ DATA_DIR, WEBHOOK_SECRET: "" })).toMatchObject({
      appId: "34",
      privateKey: pem,
      webhookSecrets: ["fedcba9876543210"],
      publicUrl: "https://stored.example.com",
    });
    expect(readSetupConfig({ DATA_DIR })).toBeNull();
  });

  test("are left alone as a whole where the environment has some, which must then have all", () => {
    const { DATA_DIR } = folderWith(stored);

    expect(readConfig({ ...enough, DATA_DIR })).toMatchObject({ appId: "12", publicUrl: null });
    for (const name of ["APP_ID", "PRIVATE_KEY", "WEBHOOK_SECRET"] as const) {
      const some = { DATA_DIR, [name]: enough[name] };
      expect(faultsOf(some), name).toHaveLength(3);
      expect(faultsOf(some).at(-1), name).toMatch(
        /github-app\.json is left alone, .*: set all or none of them\.$/,
      );
      expect(readSetupConfig(some), name).toBeNull();
    }
  });

  test("give way to the environment's PUBLIC_URL, and take its WEBHOOK_SECRET_PREVIOUS beside theirs", () => {
    const { DATA_DIR } = folderWith(stored);
    const env = { PUBLIC_URL: "https://set.example.com", WEBHOOK_SECRET_PREVIOUS: "an older secret of it" };

    expect(readConfig({ ...env, DATA_DIR })).toMatchObject({
      publicUrl: "https://set.example.com",
      webhookSecrets: ["fedcba9876543210", "an older secret of it"],
    });
  });

  test.each([
    ["empty", ""],
    ["cut off", JSON.stringify(stored).slice(0, 200)],
    ["no object", "null"],
    ["without a key", JSON.stringify({ ...stored, PRIVATE_KEY: undefined })],
    ["with a number for text", JSON.stringify({ ...stored, APP_ID: 34 })],
  ])("that are %s are named as damaged, and that alone", (_how, content) => {
    const { DATA_DIR, file } = folderWith(content);

    const faults = faultsOf({ DATA_DIR });

    expect(faults).toEqual([
      `${file} is damaged: restore it from a back-up, or delete it and start again to register a new App.`,
    ]);
    expect(readSetupConfig({ DATA_DIR })).toBeNull();
  });

  test("with a key that is none are told of as the environment's", () => {
    const { DATA_DIR } = folderWith({ ...stored, PRIVATE_KEY: "hello" });

    expect(faultsOf({ DATA_DIR })).toEqual([expect.stringMatching(/no PEM key/)]);
  });

  test.each([0o604, 0o640, 0o660, 0o601])(
    "are refused with a sentence while others may touch them (%o)",
    (mode) => {
      const { DATA_DIR, file } = folderWith(stored);
      chmodSync(file, mode);

      expect(faultsOf({ DATA_DIR })).toEqual([
        expect.stringMatching(
          new RegExp(`others may .* \\(mode ${mode.toString(8)}\\): run .chmod 600 ${file}`),
        ),
      ]);
      chmodSync(file, 0o400);
      expect(faultsOf({ DATA_DIR })).toEqual([]);
    },
  );

  test("are stored for the owner's eyes only, whole, and never over others", () => {
    const { DATA_DIR, file } = folderWith(stored);

    const again = storeCredentials(DATA_DIR, { ...stored, APP_ID: "56" });

    expect(again).toBe("exists");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(stored);
    expect(readdirSync(DATA_DIR)).toEqual(["github-app.json"]);
  });
});

test("README's command makes of the stored credentials a file .env that is as good", () => {
  const folder = emptyFolder();
  const DATA_DIR = path.join(folder, ".repodex");
  mkdirSync(DATA_DIR);
  storeCredentials(DATA_DIR, stored);
  const readme = readFileSync(path.join(import.meta.dirname, "../README.md"), "utf8");
  const command = /^.*github-app\.json >> \.env.*$/m.exec(readme)?.[0] ?? "";

  execFileSync("sh", ["-c", command], { cwd: folder });

  const env = path.join(folder, ".env");
  expect(statSync(env).mode & 0o777).toBe(0o600);
  const fromEnv = readConfig({ ...parseEnv(readFileSync(env, "utf8")), DATA_DIR: folder });
  expect(fromEnv).toEqual({ ...readConfig({ DATA_DIR }), dataDir: folder });
});

describe("a first start", () => {
  test("on a loopback host is set-up's, with all else that the environment says", () => {
    const env = {
      DATA_DIR: emptyFolder(),
      PUBLIC_URL: "https://set.example.com/",
      HOST: "::1",
      PORT: "8080",
    };

    expect(readSetupConfig(env)).toMatchObject({
      host: "::1",
      port: 8080,
      publicUrl: "https://set.example.com",
      githubUrl: null,
    });
  });

  test("on any other host stops with what to do", () => {
    const faults = faultsOf({ DATA_DIR: emptyFolder(), HOST: "0.0.0.0", PORT: "8080" }, readSetupConfig);

    expect(faults).toEqual([
      expect.stringMatching(
        /loopback HOST only, not on 0\.0\.0\.0.*ssh -L 8080:127\.0\.0\.1:8080.*by hand.*APP_ID/,
      ),
    ]);
  });

  test("names what else is wrong before anybody registers an App", () => {
    expect(faultsOf({ DATA_DIR: emptyFolder(), LEASE_SECONDS: "soon" }, readSetupConfig)).toHaveLength(1);
  });

  test.each(["APP_ID", "PRIVATE_KEY", "PRIVATE_KEY_PATH", "WEBHOOK_SECRET"])(
    "is over once %s is set",
    (name) => {
      expect(readSetupConfig({ DATA_DIR: emptyFolder(), [name]: "x" })).toBeNull();
      expect(readSetupConfig({ DATA_DIR: emptyFolder(), [name]: "" })).not.toBeNull();
    },
  );
});
