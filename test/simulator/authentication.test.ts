import { generateKeyPairSync } from "node:crypto";
import { expect, test, vi } from "vitest";
import { asApp, asInstallation, createClient, signJwt, startTestSimulator } from "./test-client.ts";

const UNDECODABLE = "A JSON web token could not be decoded";

test("the App's JWT is accepted whether its issuer is text or a number", async () => {
  const simulator = await startTestSimulator();

  const asText = await asApp(simulator).get("/app");
  const asNumber = await asApp(simulator, { iss: simulator.appId }).get("/app");

  expect(asText.status).toBe(200);
  expect(asNumber.json).toMatchObject({ id: simulator.appId, slug: "repodex" });
  expect(simulator.violations).toEqual([]);
});

test.for([
  ["that has expired", { exp: 1 }, /'Expiration time' claim \('exp'\) must be/],
  ["that lives longer than ten minutes", { exp: Date.now() / 1000 + 900 }, /too far in the future/],
  ["issued in the future", { iat: Date.now() / 1000 + 300 }, /'Issued at' claim/],
  ["of another App", { iss: "1" }, /Integration not found/],
] as const)("a JWT %s is refused with 401", async ([, claims, message]) => {
  const simulator = await startTestSimulator();

  const reply = await asApp(simulator, claims).get("/app");

  expect(reply.status).toBe(401);
  expect(reply.json).toMatchObject({ message: expect.stringMatching(message) });
});

test("a JWT signed with another key is refused", async () => {
  const simulator = await startTestSimulator();
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const PRIVATE_KEY = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
  const forged = signJwt({ ...simulator, environment: { ...simulator.environment, PRIVATE_KEY } });

  const reply = await createClient(simulator, forged).get("/app");

  expect(reply).toMatchObject({ status: 401, json: { message: UNDECODABLE } });
});

test("an installation's token does not pass for the App's JWT, nor the JWT for a token", async () => {
  const simulator = await startTestSimulator();
  const client = await asInstallation(simulator, simulator.addInstallation());

  const tokenForJwt = await client.get("/app");
  const jwtForToken = await asApp(simulator).get("/installation/repositories");

  expect(tokenForJwt.status).toBe(401);
  expect(jwtForToken.status).toBe(403);
});

test("a token is bad credentials once its time is over", async () => {
  const simulator = await startTestSimulator({ tokenSeconds: 60 });
  const client = await asInstallation(simulator, simulator.addInstallation());
  const before = await client.get("/installation/repositories");

  vi.spyOn(Date, "now").mockReturnValue(Date.now() + 61_000);
  const after = await client.get("/installation/repositories").finally(() => vi.restoreAllMocks());

  expect(before.status).toBe(200);
  expect(after).toMatchObject({ status: 401, json: { message: "Bad credentials" } });
});

test("every token's time can be ended, and a new one is good", async () => {
  const simulator = await startTestSimulator();
  const installation = simulator.addInstallation();
  const old = await asInstallation(simulator, installation);

  simulator.expireTokens();
  const renewed = await asInstallation(simulator, installation);

  expect(await old.get("/installation/repositories")).toMatchObject({ status: 401 });
  expect(await renewed.get("/installation/repositories")).toMatchObject({ status: 200 });
});

test("an unknown installation gets no token, a suspended one is told so", async () => {
  const simulator = await startTestSimulator();
  const installation = simulator.addInstallation();
  const client = await asInstallation(simulator, installation);
  simulator.setSuspended(installation, true);

  const unknown = await asApp(simulator).send("POST", "/app/installations/1/access_tokens");
  const suspended = await asApp(simulator).send("POST", `/app/installations/${installation}/access_tokens`);
  const withOldToken = await client.get("/installation/repositories");

  expect(unknown).toMatchObject({ status: 404, json: { message: "Not Found" } });
  const refused = { status: 403, json: { message: "This installation has been suspended" } };
  expect(suspended).toMatchObject(refused);
  expect(withOldToken).toMatchObject(refused);
});

test("an uninstalled App's tokens are bad credentials", async () => {
  const simulator = await startTestSimulator();
  const installation = simulator.addInstallation();
  const client = await asInstallation(simulator, installation);

  simulator.removeInstallation(installation);

  expect(await client.get("/installation/repositories")).toMatchObject({ status: 401 });
  expect(await asApp(simulator).get(`/app/installations/${installation}`)).toMatchObject({ status: 404 });
});

test("a request without credentials or without a user agent is refused", async () => {
  const simulator = await startTestSimulator();

  const anonymous = await fetch(`${simulator.url}/api/v3/app`);
  const nameless = await asApp(simulator).get("/app", { "user-agent": "" });

  expect(anonymous.status).toBe(401);
  expect(nameless).toMatchObject({ status: 403, json: { message: expect.stringMatching(/User-Agent/) } });
});
