/** Where this stand-in's addresses begin. */
export interface Links {
  /** REST: `…/api/v3`. */
  api: string;
  html: string;
}

/** GitHub's opaque node ids, in their older, readable form. */
export function nodeId(type: string, id: number | string): string {
  return Buffer.from(`0${String(type.length)}:${type}${id}`).toString("base64");
}
