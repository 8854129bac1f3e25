import { Refused } from "../answers.ts";

/** A JSON object from outside, or an empty one. */
export function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

/** GitHub's 422 for a body that breaks its schema. */
export function invalid(reason: string): Refused {
  return new Refused(422, `Invalid request.\n\n${reason}`);
}

/** A field that must be a string; throws GitHub's refusal. */
export function requiredString(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (value === undefined || value === null) throw invalid(`"${name}" wasn't supplied.`);
  if (typeof value !== "string")
    throw invalid(`For 'properties/${name}', ${JSON.stringify(value)} is not a string.`);
  return value;
}

/** A field that must be a string where it is given; null where it is not. */
export function optionalString(body: Record<string, unknown>, name: string): string | null {
  return body[name] === undefined || body[name] === null ? null : requiredString(body, name);
}

/** Throws GitHub's refusal when a text is longer than it takes. */
export function checkLength(text: string | null, { name, max }: { name: string; max: number }): void {
  const length = text === null ? 0 : [...text].length;
  if (length > max) {
    throw invalid(`For 'properties/${name}', only ${max} characters are allowed; ${length} were supplied.`);
  }
}
