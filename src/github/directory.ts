import type { Directory, FailedDelivery, HeadQuestion, ListedHead } from "../installations/directory.ts";
import type { ListedInstallation, RepositoryFacts } from "../installations/installations.ts";
import { SourceError } from "../scan/source.ts";
import { allPages, bounded, type GitHub, type Octokit } from "./client.ts";
import { translateError } from "./errors.ts";
import { installationFacts, type RepositoryPayload, repositoryFacts } from "./events/facts.ts";

const PAGE = 100;

/** Reads who installed us where, as the App and as its installations. */
export function createDirectory(github: GitHub): Directory {
  return {
    listInstallations: (signal) => listInstallations(github, signal),
    readInstallation: (id) => readInstallation(github, id),
    listRepositories: (installationId, options) => listRepositories(github, installationId, options),
    readHeads: (installationId, repositories, signal) =>
      readHeads(headReaderOf(github, installationId), repositories, signal),
    listFailedDeliveries: (since, signal) => listFailedDeliveries(github, { since, signal }),
    async redeliver(id, signal) {
      const octokit = await github.asApp();
      await inWords("send a delivery again", () =>
        octokit.request("POST /app/hook/deliveries/{delivery_id}/attempts", {
          delivery_id: id as never, // beyond 2^53
          request: bounded(signal),
        }),
      );
    },
  };
}

function readerOf(github: GitHub, installationId: string, { background }: { background: boolean }): Octokit {
  return github.as({ installationId, repositoryId: null, permissions: { metadata: "read" }, background });
}

/** Commits are contents, also where only their names are asked for. */
function headReaderOf(github: GitHub, installationId: string): Octokit {
  const permissions = { metadata: "read", contents: "read" } as const;
  return github.as({ installationId, repositoryId: null, permissions, background: true });
}

async function inWords<T>(doing: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw translateError(error, doing);
  }
}

interface InstallationAnswer {
  id: number;
  account: unknown;
  suspended_at: string | null;
}

function installationOf({ suspended_at, ...named }: InstallationAnswer): ListedInstallation {
  return {
    ...installationFacts(named),
    suspended_at: suspended_at === null ? null : new Date(suspended_at),
  };
}

async function listInstallations(github: GitHub, signal: AbortSignal): Promise<ListedInstallation[]> {
  const octokit = await github.asApp();
  return await inWords("list the App's installations", async () => {
    const listed = await allPages(async (page) => {
      const request = bounded(signal);
      const { data, headers } = await octokit.rest.apps.listInstallations({ per_page: PAGE, page, request });
      return { items: data, headers };
    });
    return listed.map(installationOf);
  });
}

async function readInstallation(github: GitHub, id: string): Promise<ListedInstallation | null> {
  const octokit = await github.asApp();
  try {
    const request = bounded();
    const { data } = await octokit.rest.apps.getInstallation({ installation_id: Number(id), request });
    return installationOf(data);
  } catch (error) {
    const translated = translateError(error, "read the installation");
    if (translated.code === "not_found") return null;
    throw translated;
  }
}

async function listRepositories(
  github: GitHub,
  installationId: string,
  { background, signal }: { background: boolean; signal?: AbortSignal },
): Promise<RepositoryFacts[] | null> {
  const octokit = readerOf(github, installationId, { background });
  let total = 0;
  try {
    const listed = await allPages<RepositoryPayload>(async (page) => {
      const { data, headers } = await octokit.rest.apps.listReposAccessibleToInstallation({
        per_page: PAGE,
        page,
        request: bounded(signal),
      });
      total = data.total_count;
      return { items: data.repositories, headers };
    });
    const byId = new Map(listed.map((repository) => [repository.id, repositoryFacts(repository)]));
    if (byId.size < total) throw new PartialList();
    return [...byId.values()];
  } catch (error) {
    const translated = translateError(error, "list the installation's repositories");
    if (translated.code === "uninstalled") return null;
    throw translated;
  }
}

/** Pages moved while they were read, or GitHub left some out. */
class PartialList extends SourceError {
  override readonly name = "PartialList";

  constructor() {
    super("partial_list", "GitHub's list of the installation's repositories was not whole.", {
      retryable: true,
    });
  }
}

interface HeadAnswer {
  databaseId: number;
  default: { name: string; target: { oid: string } | null } | null;
  indexed?: { target: { oid: string } | null } | null;
}

async function readHeads(
  octokit: Octokit,
  repositories: HeadQuestion[],
  signal: AbortSignal,
): Promise<ListedHead[]> {
  const quoted = (text: string) => JSON.stringify(text);
  const fields = repositories.map(({ owner, name, branch }, i) => {
    const indexed =
      branch === null
        ? ""
        : `indexed: ref(qualifiedName: ${quoted(`refs/heads/${branch}`)}) { target { oid } }`;
    return `r${i}: repository(owner: ${quoted(owner)}, name: ${quoted(name)}) { databaseId default: defaultBranchRef { name target { oid } } ${indexed} }`;
  });
  const answer = await askGraphql<Record<string, HeadAnswer | null>>(
    octokit,
    `{ ${fields.join("\n")} }`,
    signal,
  );
  return repositories.flatMap(({ id, branch }, i) => {
    const head = answer[`r${i}`];
    if (!head || String(head.databaseId) !== id) return [];
    const default_sha = head.default?.target?.oid ?? null;
    const sha = branch === null ? default_sha : (head.indexed?.target?.oid ?? null);
    return [{ id, sha, default_sha, default_branch: head.default?.name ?? null }];
  });
}

/** The data of a query that may lack what GitHub does not show. */
async function askGraphql<T>(octokit: Octokit, query: string, signal: AbortSignal): Promise<T> {
  try {
    return await octokit.graphql<T>(query, { request: bounded(signal) });
  } catch (error) {
    const answered = error instanceof Error && error.name === "GraphqlResponseError" && "errors" in error;
    const limited =
      answered && (error.errors as { type?: string }[]).some(({ type }) => type === "RATE_LIMITED");
    // Some repositories may be refused, or gone: the others' heads are told beside that.
    if (answered && !limited && "data" in error && error.data) return error.data as T;
    throw translateError(error, "compare the newest commits");
  }
}

interface DeliveryAnswer {
  id: number | bigint | string;
  guid: string;
  delivered_at: string;
  status_code: number;
}

/** GitHub lists the newest first; a GUID whose later attempt went well needs none. */
async function listFailedDeliveries(
  github: GitHub,
  { since, signal }: { since: Date; signal: AbortSignal },
): Promise<FailedDelivery[]> {
  const octokit = await github.asApp();
  const failed = new Map<string, FailedDelivery>();
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: { data: unknown; headers: { link?: string | undefined } } = await inWords(
      "list the failed deliveries",
      () =>
        octokit.request("GET /app/hook/deliveries", {
          per_page: PAGE,
          status: "failure",
          ...(cursor !== "" && cursor !== null && { cursor }),
          request: bounded(signal),
        } as never),
    );
    const items = page.data as DeliveryAnswer[];
    for (const { id, guid, delivered_at } of items) {
      const at = new Date(delivered_at);
      if (at >= since && !failed.has(guid)) failed.set(guid, { id: String(id), guid, delivered_at: at });
    }
    const last = items.at(-1);
    cursor = last && new Date(last.delivered_at) >= since ? cursorOf(page.headers.link) : null;
  }
  return [...failed.values()].toReversed();
}

function cursorOf(link: string | undefined): string | null {
  const next = link?.split(",").find((part) => part.includes('rel="next"'));
  const address = /<([^>]+)>/.exec(next ?? "")?.[1];
  return address ? (URL.parse(address)?.searchParams.get("cursor") ?? null) : null;
}
