import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

/** How late the event loop was, in milliseconds. */
export interface LoopDelay {
  p50: number;
  p99: number;
  max: number;
}

/** Preloaded into the app under measurement: answers each message of its parent and starts over. */
const RESOLUTION_MS = 2;
if (isMainThread && process.send) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  process.on("message", () => {
    const [p50, p99, max] = [histogram.percentile(50), histogram.percentile(99), histogram.max].map(
      (ns) => ns / 1e6 - RESOLUTION_MS,
    );
    process.send?.({ p50, p99, max });
    histogram.reset();
  });
  process.channel?.unref();
}
