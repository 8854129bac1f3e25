import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Kysely, sql } from "kysely";
import { Gauge, Histogram, Registry } from "prom-client";
import type { Tables } from "../database/schema.ts";

/** What is left of one of GitHub's hourly budgets. */
export interface Budget {
  installationId: string;
  resource: string;
  remaining: number;
}

export interface MetricsOptions {
  db: Kysely<Tables>;
  budgets: { list(): Budget[] };
}

/** Quantiles tell of the runs that began or ended within so many minutes. */
const RECENT_MINUTES = 10;
const LOOP_RESOLUTION_MS = 10;

/** What the database knows of all replicas, in one statement. */
interface Counts {
  runs: Record<string, number>;
  oldest_due: number;
  inbox: number;
  inbox_oldest: number;
  inbox_failed: number;
  claim_p50: number | null;
  claim_p95: number | null;
  scan_p50: number | null;
  scan_p95: number | null;
  scan_bytes: number;
}

/** What is measured, as Prometheus reads it. What the database tells is of all replicas, the rest of this process. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  readonly #webhooks: Histogram<"status">;
  #sweptAt: number | null = null;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#webhooks = new Histogram({
      name: "repodex_webhook_seconds",
      help: "How long webhooks took to be stored and answered",
      labelNames: ["status"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [this.#registry],
    });
    this.#loop.enable();
  }

  /** A webhook was answered. */
  webhook(status: number, seconds: number): void {
    this.#webhooks.observe({ status: String(status) }, seconds);
  }

  /** This process has looked for abandoned runs. */
  swept(): void {
    this.#sweptAt = performance.now();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All of it, in Prometheus' text format. */
  async read(): Promise<string> {
    const counts = await readCounts(this.#options.db);
    for (const [state, n] of Object.entries(counts.runs))
      this.#set("repodex_runs", "Runs by their state", n, { state });
    this.#set(
      "repodex_oldest_due_run_seconds",
      "How long the oldest run has been due that nothing but a free slot is missing for",
      counts.oldest_due,
    );
    this.#set("repodex_inbox_deliveries", "Deliveries that are not handled yet", counts.inbox);
    this.#set("repodex_inbox_oldest_seconds", "The age of the oldest of them", counts.inbox_oldest);
    this.#set("repodex_inbox_failed", "Deliveries that could not be handled", counts.inbox_failed);
    const recent = `of the last ${RECENT_MINUTES} minutes`;
    const claims = `How long runs ${recent} were due before they were claimed`;
    this.#set("repodex_claim_seconds", claims, counts.claim_p50, { quantile: "0.5" });
    this.#set("repodex_claim_seconds", claims, counts.claim_p95, { quantile: "0.95" });
    const scans = `How long scans ${recent} took that succeeded`;
    this.#set("repodex_scan_seconds", scans, counts.scan_p50, { quantile: "0.5" });
    this.#set("repodex_scan_seconds", scans, counts.scan_p95, { quantile: "0.95" });
    this.#set("repodex_scan_bytes", `Bytes that scans ${recent} indexed`, counts.scan_bytes);
    const budgets = this.#gauge(
      "repodex_github_budget_remaining",
      "What is left of GitHub's hourly requests",
      ["installation_id", "resource"],
    );
    budgets.reset();
    for (const { installationId, resource, remaining } of this.#options.budgets.list())
      budgets.set({ installation_id: installationId, resource }, remaining);
    this.#setProcess();
    return await this.#registry.metrics();
  }

  close(): void {
    this.#loop.disable();
  }

  #setProcess(): void {
    const sweep = this.#sweptAt === null ? process.uptime() : (performance.now() - this.#sweptAt) / 1000;
    this.#set("repodex_sweep_age_seconds", "How long ago this process looked for abandoned runs", sweep);
    const delay = "How long the event loop was late since it was last asked for";
    for (const quantile of [0.5, 0.99, 1]) {
      const nanoseconds = this.#loop.percentile(quantile * 100) || 0;
      this.#set("repodex_event_loop_delay_seconds", delay, nanoseconds / 1e9, { quantile: String(quantile) });
    }
    this.#loop.reset();
    this.#set("process_resident_memory_bytes", "Memory in RAM", process.memoryUsage.rss());
    this.#set("process_uptime_seconds", "How long this process has been running", process.uptime());
  }

  /** Null: there is nothing to tell. */
  #set(name: string, help: string, value: number | null, labels: Record<string, string> = {}): void {
    this.#gauge(name, help, Object.keys(labels)).set(labels, value ?? Number.NaN);
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    const known = this.#registry.getSingleMetric(name) as Gauge | undefined;
    return known ?? new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }
}

/** Compared with now(), which an index can serve, as clock_timestamp() cannot. */
async function readCounts(db: Kysely<Tables>): Promise<Counts> {
  const { rows } = await sql<Counts>`
    with states (state) as (
      select unnest('{queued,running,succeeded,failed,cancelled,superseded}'::text[])
    ), counted as (
      select state, count(*) as n from runs where finished_at is not null group by state
      union all select state, count(*) from runs where state in ('queued', 'running') group by state
    ), begun as (
      select started_at, queued_at, not_before from runs
      where finished_at > now() - make_interval(mins => ${RECENT_MINUTES})
      union all select started_at, queued_at, not_before from runs where state in ('queued', 'running')
    ), claimed as (
      select extract(epoch from started_at - greatest(queued_at, not_before))::float8 as seconds from begun
      where started_at > now() - make_interval(mins => ${RECENT_MINUTES})
    ), scanned as (
      select extract(epoch from finished_at - started_at)::float8 as seconds, (progress->>'bytes')::float8 as bytes from runs
      where state = 'succeeded' and finished_at > now() - make_interval(mins => ${RECENT_MINUTES})
    )
    select
      (select json_object_agg(states.state, coalesce(n, 0)) from states left join counted using (state)) as runs,
      (select coalesce(extract(epoch from max(clock_timestamp() - greatest(queued_at, not_before, paused_until,
          case when priority = 0 then background_paused_until end))), 0)::float8
        from runs join installations on installations.id = runs.installation_id
        where state = 'queued' and suspended_at is null and greatest(not_before, paused_until,
            case when priority = 0 then background_paused_until end) <= clock_timestamp()
          and not exists (select from runs other where other.repository_id = runs.repository_id
            and other.state = 'running')) as oldest_due,
      (select count(*)::int from deliveries where state = 'pending') as inbox,
      (select coalesce(extract(epoch from max(clock_timestamp() - received_at)), 0)::float8 from deliveries
        where state = 'pending') as inbox_oldest,
      (select count(*)::int from deliveries where state = 'failed') as inbox_failed,
      (select percentile_cont(0.5) within group (order by greatest(seconds, 0)) from claimed) as claim_p50,
      (select percentile_cont(0.95) within group (order by greatest(seconds, 0)) from claimed) as claim_p95,
      (select percentile_cont(0.5) within group (order by seconds) from scanned) as scan_p50,
      (select percentile_cont(0.95) within group (order by seconds) from scanned) as scan_p95,
      (select coalesce(sum(bytes), 0) from scanned) as scan_bytes`.execute(db);
  return rows[0] as Counts;
}
