interface FileAtCommit {
  /** owner/name */
  repository: string;
  commit: string;
  path: string;
  /** The true bytes of a name that is not UTF-8. */
  path_base64: string | null;
}

/** The page of a file at a commit on GitHub (or another host, as `https://host`), at a line where one is given. */
export function permalink(
  webUrl: string,
  { repository, commit, path, path_base64 }: FileAtCommit,
  line: number | null,
): string {
  const name =
    path_base64 === null ? path.split("/").map(encodeURIComponent).join("/") : encodeBytes(path_base64);
  return `${webUrl}/${repository}/blob/${commit}/${name}${line === null ? "" : `#L${line}`}`;
}

function encodeBytes(base64: string): string {
  const text = Buffer.from(base64, "base64").toString("latin1");
  return text.replace(
    /[^\w./~-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
