/** What replaces a secret, by what it looks like. */
const SECRETS: [RegExp, string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, "[key]"],
  [/\bgh[a-z]_[A-Za-z0-9_.-]+/g, "[token]"],
  [/\b(v1\.[0-9a-f]{40}|github_pat_\w+)\b/g, "[token]"],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, "[jwt]"],
  [/\b((?:bearer|token) )[A-Za-z0-9\-._~+/]{16,}=*/gi, "$1[token]"],
  [/([?&](?:token|code|state|access_token)=)[^&\s"']+/g, "$1[token]"],
  [/(:\/\/)[^/\s:@]+:[^/\s@]+@/g, "$1[password]@"],
];

/**
 * Takes out of a text what lets somebody in: tokens, keys, signed addresses, passwords. For whatever is kept or shown:
 * errors of libraries quote what they were given.
 */
export function redact(text: string): string {
  return SECRETS.reduce((cleaned, [pattern, instead]) => cleaned.replace(pattern, instead), text);
}

/** An error's message, fit to be kept: without secrets, and without the NUL that PostgreSQL refuses. */
export function messageOf(error: unknown): string {
  return redact(error instanceof Error ? error.message : String(error)).replaceAll("\0", "\uFFFD");
}
