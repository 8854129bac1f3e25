/** The page of a file at a commit on GitHub (or another host, as `https://host`), at a line where one is given. */
export function permalink(
  webUrl: string,
  { repository, commit, path }: { repository: string; commit: string; path: string },
  line: number | null,
): string {
  const name = path.split("/").map(encodeURIComponent).join("/");
  return `${webUrl}/${repository}/blob/${commit}/${name}${line === null ? "" : `#L${line}`}`;
}
