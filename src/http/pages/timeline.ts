import { html } from "hono/html";
import type { RunEvent } from "../../runs/events.ts";
import type { RunView } from "../../runs/read.ts";
import type { Html } from "./html.ts";
import { clock, elapsed, stageOf } from "./marks.ts";
import type { View } from "./view.ts";

interface Step {
  at: Date;
  label: Html | string;
  tone: "" | "warn" | "bad" | "good";
}

/** A run's course, step by step with what each took, from the events that tell of it; there are none at first. */
export function timeline(view: View, run: RunView, events: RunEvent[]): Html {
  const steps = events.map((event) => stepOf(view, run, event)).filter((step) => step !== null);
  const { run: words } = view.messages;
  return html`<section class="timeline" id="timeline" data-live>
      <h2>${words.timeline}</h2>
      <ol>
        ${steps.map((step, i) => {
          const next = steps[i + 1];
          const isOpen = next === undefined && run.finished_at === null;
          const took = next || isOpen ? elapsed(step.at, next?.at ?? null, view) : "";
          return html`<li class="${step.tone}${isOpen ? " open" : ""}"><span class="label">${step.label}</span><span class="took">${took}</span>${clock(step.at)}</li>`;
        })}
      </ol>
    </section>`;
}

function stepOf(view: View, run: RunView, { at, kind, level, data }: RunEvent): Step | null {
  const { steps } = view.messages.run;
  if (kind === "run.progress")
    return { at, label: stageOf(view, typeof data.stage === "string" ? data.stage : null), tone: "" };
  if (kind === "run.completed") return { at, label: view.messages.states[run.state], tone: toneOfEnd(run) };
  const name = kind.replace(/^run\./, "");
  if (!Object.hasOwn(steps, name)) return null;
  return {
    at,
    label: steps[name as keyof typeof steps],
    tone: level === "warn" || level === "error" ? "warn" : "",
  };
}

function toneOfEnd({ state }: RunView): Step["tone"] {
  if (state === "failed") return "bad";
  return state === "succeeded" ? "good" : "";
}
