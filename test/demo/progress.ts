const FIRST_RUN_POLL_MS = 50;
const FIRST_RUN_TIMEOUT_MS = 60_000;
const BAR_WIDTH = 30;

/** The fields of a run that the demo looks at. */
export interface RunJson {
  id: string;
  state: string;
  reason: string | null;
  head_sha: string | null;
  tree_sha: string | null;
  verified: boolean | null;
  progress: { files_total: number; files_done: number };
}

/** Waits for a repository's first run and follows it by server-sent events, with a bar on a terminal. */
export async function followRun(api: string, repositoryId: string): Promise<RunJson> {
  const run = await firstRun(api, repositoryId);
  process.stdout.write(`  run         ${run.id} is ${run.state}\n`);
  const bar = process.stdout.isTTY ? drawBar : () => {};
  let last = run;
  const stream = await fetch(`${api}/runs/${run.id}/events`);
  for await (const event of serverSentEvents(stream)) {
    last = event.run;
    bar(last);
  }
  if (process.stdout.isTTY) process.stdout.write("\r\u001B[K");
  return (await (await fetch(`${api}/runs/${run.id}`)).json()) as RunJson;
}

async function firstRun(api: string, repositoryId: string): Promise<RunJson> {
  const giveUpAt = performance.now() + FIRST_RUN_TIMEOUT_MS;
  while (performance.now() < giveUpAt) {
    const response = await fetch(`${api}/repositories/${repositoryId}/runs`);
    if (response.ok) {
      const { data } = (await response.json()) as { data: RunJson[] };
      if (data[0]) return data[0];
    }
    await new Promise((resolve) => setTimeout(resolve, FIRST_RUN_POLL_MS));
  }
  throw new Error("The webhook was delivered, but no run appeared within a minute.");
}

async function* serverSentEvents(response: Response): AsyncGenerator<{ run: RunJson }> {
  let pending = "";
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const frames = (pending + piece).split("\n\n");
    pending = frames.pop() ?? "";
    for (const frame of frames) {
      const data = frame.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice("data: ".length)) as { run: RunJson };
    }
  }
}

function drawBar({ progress: { files_done: done, files_total: total } }: RunJson): void {
  if (total === 0) return;
  const filled = Math.round((BAR_WIDTH * done) / total);
  const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  process.stdout.write(
    `\r  progress    ${bar} ${done.toLocaleString("en-US")} of ${total.toLocaleString("en-US")} files `,
  );
}
