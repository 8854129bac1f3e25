import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { type Connection, transaction } from "../database/connect.ts";
import { type Account, type AccountRow, toAccount } from "./account.ts";
import {
  type Identity,
  IdentityRefused,
  IdentityUnavailable,
  type Person,
  type ReadableRepository,
  type UserTokens,
} from "./identity.ts";
import type { Seal } from "./seal.ts";
import { createSession, deleteSession, findSession, renewSession } from "./sessions.ts";
import { findToken, type TokenScope } from "./tokens.ts";
import {
  endCheck,
  extendLease,
  forgetAuthorization,
  type Lease,
  leaseCheck,
  readAccount,
  replaceTokens,
  saveReadable,
  saveUser,
} from "./users.ts";

/** A token that ends within this is renewed first. */
const RENEW_MS = 60_000;
/** While another replica asks GitHub, its answer is looked for so often, and so many times. */
const POLL_MS = 200;
const POLLS = 100;
/** How often one request asks GitHub, or waits for who asks, in vain. */
const CHECKS = 3;
/** After a check that came to nothing, the next one that nobody waits for comes so much later. */
const REST_MS = 10_000;
const SLOW = "GitHub's answer on what you may see took too long.";

/** Somebody who was recognized; `renewed` is the cookie's new secret, where it got one. */
export interface SignedIn {
  account: Account;
  sessionId: string;
  renewed: string | null;
}

/** What GitHub says of a token. */
interface Seen {
  person: Person;
  repositories: ReadableRepository[];
}

export interface AccountsOptions {
  connection: Connection;
  identity: Identity;
  seal: Seal;
  log: Logger;
}

/**
 * Signs people in and tells who a cookie or a token is, with what GitHub says that they may see: never older than five
 * minutes, and asked anew after an event that may have changed it. Where GitHub cannot be asked then, nobody sees anything
 * (IdentityUnavailable): what was taken away must not be seen.
 */
export class Accounts {
  readonly #connection: Connection;
  readonly #identity: Identity;
  readonly #seal: Seal;
  readonly #log: Logger;
  /** By user: many requests of one come at once. */
  readonly #checks = new Map<string, Promise<void>>();
  /** Until when nobody is asked about a user for whom nobody waits, after it went wrong. */
  readonly #resting = new Map<string, number>();

  constructor({ connection, identity, seal, log }: AccountsOptions) {
    this.#connection = connection;
    this.#identity = identity;
    this.#seal = seal;
    this.#log = log;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Signs in who GitHub gave this code for; answers the secret of the browser's cookie. Throws IdentityRefused. */
  async signIn(code: string, proof: { verifier: string; redirectUrl: string }): Promise<string> {
    const { db } = this.#connection;
    const tokens = await this.#identity.exchange(code, proof);
    const person = await this.#identity.whoIs(tokens.access);
    await saveUser(db, person, this.#sealed(person.id, tokens));
    await this.#askOrWait(person.id); // a check that runs already may ask with the tokens before
    const secret = await createSession(db, person.id);
    this.#log.info({ user_id: person.id, login: person.login }, "signed in");
    return secret;
  }

  async signOut(secret: string): Promise<void> {
    await deleteSession(this.#connection.db, secret);
  }

  /** Whose session a cookie's secret is, or null. With `renew`, an old secret is replaced by a new one. */
  async findBySession(secret: string, { renew }: { renew: boolean }): Promise<SignedIn | null> {
    const { db } = this.#connection;
    const found = await findSession(db, secret);
    const account = found && (await this.#refreshed(found.account));
    if (!found || !account) return null;
    const renewed = renew && found.old ? await renewSession(db, found.id, secret) : null;
    return { account, sessionId: found.id, renewed };
  }

  /** Whose a personal API token is and what it may, or null. */
  async findByToken(token: string): Promise<{ account: Account; scope: TokenScope } | null> {
    const found = await findToken(this.#connection.db, token);
    const account = found && (await this.#refreshed(found.account));
    if (!found || !account) return null;
    const endsAt = Date.now() + found.seconds * 1000;
    const goodUntil = new Date(Math.min(account.goodUntil.getTime(), endsAt));
    return { account: { ...account, goodUntil }, scope: found.scope };
  }

  /**
   * The account with what GitHub says of it, asked now where that is too old; null where GitHub refuses it. What was asked
   * after the request came is new enough for it, whatever happens meanwhile: or events in a row would keep everybody out.
   */
  async #refreshed(row: AccountRow): Promise<Account | null> {
    if (!row.signed_in) return null;
    if (row.fresh && row.soon) this.#checkBeside(row.id);
    let now: AccountRow | null = row;
    for (let attempt = 1; !now.fresh && !isAskedSince(row, now); attempt += 1) {
      if (attempt > CHECKS) throw new IdentityUnavailable(SLOW);
      await this.#check(row.id).catch(passRefusal);
      now = await readAccount(this.#connection.db, row.id);
      if (!now?.signed_in) return null;
    }
    return toAccount(now);
  }

  #checkBeside(userId: string): void {
    if ((this.#resting.get(userId) ?? 0) > Date.now()) return;
    this.#resting.delete(userId);
    this.#check(userId).catch((err: unknown) => {
      this.#resting.set(userId, Date.now() + REST_MS);
      this.#log.warn({ err, user_id: userId }, "what a user may see could not be asked");
    });
  }

  #check(userId: string): Promise<void> {
    const running = this.#checks.get(userId);
    if (running !== undefined) return running;
    const check = this.#askOrWait(userId).finally(() => this.#checks.delete(userId));
    this.#checks.set(userId, check);
    return check;
  }

  async #askOrWait(userId: string): Promise<void> {
    const { db } = this.#connection;
    for (let poll = 0; poll < POLLS; poll += 1) {
      const lease = await leaseCheck(db, userId);
      if (lease) return await this.#ask(userId, lease);
      const row = await readAccount(db, userId);
      if (!row?.signed_in) throw new IdentityRefused("GitHub does not let Repodex act for this user.");
      if (row.fresh) return;
      await wait(POLL_MS);
    }
    throw new IdentityUnavailable(SLOW);
  }

  async #ask(userId: string, lease: Lease): Promise<void> {
    try {
      const seen = await this.#read(userId, lease);
      if (seen === null) return;
      const { person, repositories } = seen;
      if (person.id !== userId) throw new IdentityRefused("GitHub's token is of somebody else.");
      const { began } = lease;
      await transaction(this.#connection, ({ trx }) => saveReadable(trx, person, { repositories, began }));
    } catch (error) {
      if (error instanceof IdentityRefused) await this.#forget(userId, { tokens: lease.tokens, err: error });
      throw error;
    } finally {
      await endCheck(this.#connection.db, userId, lease);
    }
  }

  async #forget(userId: string, { tokens, err }: { tokens: Buffer; err: Error }): Promise<void> {
    const isForgotten = await transaction(this.#connection, ({ trx }) =>
      forgetAuthorization(trx, userId, tokens),
    );
    if (isForgotten) this.#log.info({ err, user_id: userId }, "signed out by GitHub");
  }

  /**
   * What GitHub says now; with new tokens where those that are kept have ended, by our clock or by GitHub's. Null where
   * somebody else has come to ask with other tokens, or to renew these.
   */
  async #read(userId: string, lease: Lease): Promise<Seen | null> {
    const tokens = this.#opened(userId, lease.tokens);
    const isSpent =
      tokens.accessExpiresAt !== null && tokens.accessExpiresAt.getTime() - RENEW_MS < Date.now();
    try {
      if (!isSpent || tokens.refresh === null) return await this.#look(tokens.access);
    } catch (error) {
      if (!(error instanceof IdentityRefused) || tokens.refresh === null) throw error;
    }
    const { db } = this.#connection;
    if (!(await extendLease(db, userId, lease))) return null;
    const renewed = await this.#identity.refresh(tokens.refresh);
    // Kept before anything is done with them: the ones before are none any more.
    const sealed = this.#sealed(userId, renewed);
    await replaceTokens(db, userId, { old: lease.tokens, renewed: sealed });
    return await this.#look(renewed.access);
  }

  async #look(access: string): Promise<Seen> {
    return {
      person: await this.#identity.whoIs(access),
      repositories: await this.#identity.listReadable(access),
    };
  }

  #sealed(userId: string, tokens: UserTokens): Buffer {
    return this.#seal.seal(JSON.stringify(tokens), purposeOf(userId));
  }

  /** Those that were sealed with another secret are as good as none: the person signs in again. */
  #opened(userId: string, sealed: Buffer): UserTokens {
    const text = this.#seal.open(sealed, purposeOf(userId));
    if (text === null) throw new IdentityRefused("The user's tokens were sealed with another secret.");
    const { accessExpiresAt, refreshExpiresAt, ...tokens } = JSON.parse(text);
    return {
      ...tokens,
      accessExpiresAt: dateOf(accessExpiresAt),
      refreshExpiresAt: dateOf(refreshExpiresAt),
    };
  }
}

/** Whether GitHub was asked after the request came, as it read the account first. */
function isAskedSince(first: AccountRow, { checked_at, read_at }: AccountRow): boolean {
  return checked_at > first.read_at && checked_at <= read_at;
}

/** GitHub's no is no failure: the account says it. */
function passRefusal(error: unknown): void {
  if (!(error instanceof IdentityRefused)) throw error;
}

function purposeOf(userId: string): string {
  return `tokens of user ${userId}`;
}

function dateOf(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
