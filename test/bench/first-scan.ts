import { startSimulator } from "../simulator/simulator.ts";
import { startBenchApp } from "./app.ts";
import type { Corpus } from "./corpus.ts";

const SCAN_TIMEOUT_MS = 60 * 60_000;

export interface MeasuredScan {
  seconds: number;
  rssMb: number;
  loopP99Ms: number;
  requests: number;
  stages: { stage: string; seconds: number }[];
}

interface RunJson {
  state: string;
  verified: boolean;
  started_at: string;
  finished_at: string;
}

interface LogEvent {
  at: string;
  kind: string;
  data: { stage?: string };
}

/** The whole first scan of the corpus by the app, with these modules (absolute paths) loaded before it. */
export async function measureScan(
  corpus: Corpus,
  environment: Record<string, string>,
  options: { imports?: string[] } = {},
): Promise<MeasuredScan> {
  const simulator = await startSimulator();
  const app = await startBenchApp(simulator, environment, options);
  try {
    const installation = simulator.addInstallation();
    const repository = simulator.addRepository({
      installation_id: installation,
      git_dir: corpus.gitDir,
      name: "bench",
    });
    repository.archive_file = corpus.archive;
    await app.loopDelay();
    await simulator.deliverInstallationCreated(installation);
    await simulator.until(() => simulator.checkRuns.find((check) => check.status === "completed"), {
      timeoutMs: SCAN_TIMEOUT_MS,
      what: "the scan",
    });
    const run = await app.get<RunJson>("/runs/1");
    if (run.state !== "succeeded" || !run.verified) throw new Error(`The scan ended ${run.state}.`);
    const { data } = await app.get<{ data: LogEvent[] }>("/runs/1/log?limit=1000");
    return {
      seconds: (Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000,
      rssMb: await app.peakRssMb(),
      loopP99Ms: (await app.loopDelay()).p99,
      requests: simulator.requests.length,
      stages: stagesOf(data),
    };
  } finally {
    await app.stop();
    await simulator.close();
  }
}

function stagesOf(events: LogEvent[]): MeasuredScan["stages"] {
  const marks = events.filter(
    ({ kind, data }) => kind === "run.started" || kind === "run.completed" || data.stage,
  );
  const stages = new Map<string, number>();
  marks.forEach((event, i) => {
    const next = marks[i + 1];
    const stage = event.data.stage ?? "starting";
    if (next)
      stages.set(stage, (stages.get(stage) ?? 0) + (Date.parse(next.at) - Date.parse(event.at)) / 1000);
  });
  return [...stages].map(([stage, seconds]) => ({ stage, seconds }));
}
