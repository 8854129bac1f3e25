import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import type { IncomingMessage } from "node:http";
import { type Answer, bytes, notFound } from "./answers.ts";
import type { Git } from "./git.ts";
import type { Recorder } from "./recorder.ts";
import type { Tokens } from "./tokens.ts";
import type { SimulatedRepository } from "./world.ts";

/** docs.github.com, "Download a repository archive": links to private archives expire after five minutes. */
const LINK_SECONDS = 300;

interface Link {
  pathname: string;
  git_dir: string;
  commit: string;
  prefix: string;
  installation_id: number;
  expires_at: number;
  file: string | undefined;
}

/** The second origin, where archives are: it knows its own short-lived links and nothing of tokens. */
export interface ArchiveHost {
  /** An address that works for five minutes, for whoever has it. */
  link(repository: SimulatedRepository, commit: string): string;
  /** The installation whose link this is, for the record. */
  ownerOf(url: URL): number | null;
  answer(request: IncomingMessage, url: URL): Answer;
}

/** An archive host that has given out no links yet; `origin` is where it listens. */
export function createArchiveHost(options: {
  origin: string;
  git: Git;
  tokens: Tokens;
  recorder: Recorder;
}): ArchiveHost {
  const links = new Map<string, Link>();
  const find = (url: URL) => {
    const link = links.get(url.searchParams.get("token") ?? "");
    return link?.pathname === url.pathname ? link : null;
  };
  return {
    link(repository, commit) {
      const token = randomBytes(18).toString("hex").toUpperCase();
      const pathname = `/${repository.full_name}/legacy.tar.gz/${commit}`;
      links.set(token, {
        pathname,
        git_dir: repository.git_dir,
        commit,
        prefix: `${repository.owner}-${repository.name}-${commit.slice(0, 7)}/`,
        installation_id: repository.installation_id,
        expires_at: Date.now() + LINK_SECONDS * 1000,
        file: repository.archive_file,
      });
      return `${options.origin}${pathname}?token=${token}`;
    },
    ownerOf: (url) => find(url)?.installation_id ?? null,
    answer(request, url) {
      const sent = `${request.headers.authorization ?? ""} ${url.search}`;
      if (options.tokens.appearsIn(sent)) {
        options.recorder.violations.push(
          `GET tarball: an installation's token was sent to the archive host.`,
        );
      }
      const link = find(url);
      if (!link || link.expires_at <= Date.now()) throw notFound();
      if (link.file) return bytes(createReadStream(link.file), "application/x-gzip");
      const args = ["archive", "--format=tar.gz", `--prefix=${link.prefix}`, link.commit];
      return bytes(options.git.stream(link.git_dir, args), "application/x-gzip");
    },
  };
}
