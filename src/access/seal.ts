import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";

const VERSION = 1;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Keeps texts that nobody may read in the database or a cookie. `purpose` is bound to each: none serves for another. */
export interface Seal {
  seal(text: string, purpose: string): Buffer;
  /** Null where it was not sealed with this secret for this purpose. */
  open(sealed: Buffer, purpose: string): string | null;
}

/** AES-256-GCM with a key of the secret (HKDF): a version, the nonce, the text, the tag. */
export function createSeal(secret: string): Seal {
  const key = Buffer.from(hkdfSync("sha256", secret, "", "repodex seal", 32));
  return {
    seal(text, purpose) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES }).setAAD(
        Buffer.from(purpose),
      );
      return Buffer.concat([
        Buffer.of(VERSION),
        iv,
        cipher.update(text),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
    },
    open(sealed, purpose) {
      if (sealed[0] !== VERSION || sealed.length < 1 + IV_BYTES + TAG_BYTES) return null;
      const iv = sealed.subarray(1, 1 + IV_BYTES);
      const tag = sealed.subarray(-TAG_BYTES);
      const text = sealed.subarray(1 + IV_BYTES, -TAG_BYTES);
      const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(purpose)).setAuthTag(tag);
      try {
        return Buffer.concat([decipher.update(text), decipher.final()]).toString();
      } catch {
        return null;
      }
    },
  };
}

/** A secret to give out, of 256 random bits. */
export function randomSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** What is kept of a secret that was given out: long random texts need no slow hash. */
export function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
