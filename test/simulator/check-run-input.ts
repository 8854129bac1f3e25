import { checkLength, invalid, objectOf, optionalString, requiredString } from "./routes/body.ts";
import { type CheckRunOutput, type SimulatedCheckRun, timestamp } from "./world.ts";

/** docs.github.com, "Create a check run", and the messages of its refusals. */
const MAX_TITLE = 255;
const MAX_TEXT = 65_535;
const MAX_ANNOTATIONS = 50;
const MAX_ACTIONS = 3;
const ACTION_LENGTHS = { label: 20, description: 40, identifier: 20 };
const STATUSES = ["queued", "in_progress", "completed"] as const;
const CONCLUSIONS = ["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"];
const ANNOTATION_LEVELS = ["notice", "warning", "failure"];

/** Applies a request's fields to a check run; throws GitHub's 422 before anything is changed. */
export function applyToCheckRun(checkRun: SimulatedCheckRun, body: Record<string, unknown>): void {
  const state = parseState(checkRun, body);
  const output = body.output === undefined ? null : parseOutput(objectOf(body.output));
  const actions = body.actions === undefined ? null : parseActions(body.actions);
  checkRun.name = optionalString(body, "name") ?? checkRun.name;
  checkRun.external_id = optionalString(body, "external_id") ?? checkRun.external_id;
  checkRun.details_url = optionalString(body, "details_url") ?? checkRun.details_url;
  checkRun.started_at = optionalString(body, "started_at") ?? checkRun.started_at;
  Object.assign(checkRun, state);
  if (output)
    checkRun.output = { ...output, annotations: [...checkRun.output.annotations, ...output.annotations] };
  if (actions) checkRun.actions = actions;
  checkRun.history.push({
    at: new Date(),
    status: checkRun.status,
    conclusion: checkRun.conclusion,
    title: checkRun.output.title,
    summary: checkRun.output.summary,
  });
}

/** A conclusion completes the run by itself; a completed one needs a conclusion. */
function parseState(
  { status: present, conclusion: concluded, completed_at }: SimulatedCheckRun,
  body: Record<string, unknown>,
): Pick<SimulatedCheckRun, "status" | "conclusion" | "completed_at"> {
  const asked = optionalString(body, "status");
  const status = STATUSES.find((known) => known === asked);
  if (asked !== null && !status)
    throw invalid(`For 'properties/status', "${asked}" is not a member of the enum.`);
  const conclusion = optionalString(body, "conclusion");
  if (conclusion !== null && !CONCLUSIONS.includes(conclusion)) {
    throw invalid(`For 'properties/conclusion', "${conclusion}" is not a member of the enum.`);
  }
  const at = optionalString(body, "completed_at");
  if (conclusion !== null) return { status: "completed", conclusion, completed_at: at ?? timestamp() };
  if (status === "completed" || at !== null) throw invalid(`"conclusion" wasn't supplied.`);
  if (status) return { status, conclusion: null, completed_at: null };
  return { status: present, conclusion: concluded, completed_at };
}

function parseOutput(output: Record<string, unknown>): CheckRunOutput {
  const title = requiredString(output, "title");
  const summary = requiredString(output, "summary");
  const text = optionalString(output, "text");
  checkLength(title, { name: "output/title", max: MAX_TITLE });
  checkLength(summary, { name: "output/summary", max: MAX_TEXT });
  checkLength(text, { name: "output/text", max: MAX_TEXT });
  const annotations = listOf(output.annotations ?? [], { name: "output/annotations", max: MAX_ANNOTATIONS });
  for (const annotation of annotations) checkAnnotation(annotation);
  return { title, summary, text, annotations };
}

function checkAnnotation(annotation: Record<string, unknown>): void {
  requiredString(annotation, "path");
  requiredString(annotation, "message");
  const level = requiredString(annotation, "annotation_level");
  if (!ANNOTATION_LEVELS.includes(level)) {
    throw invalid(`For 'properties/annotation_level', "${level}" is not a member of the enum.`);
  }
  checkLength(optionalString(annotation, "title"), { name: "title", max: MAX_TITLE });
  for (const name of ["start_line", "end_line"]) {
    if (!Number.isInteger(annotation[name]))
      throw invalid(`For 'properties/${name}', an integer wasn't supplied.`);
  }
}

function parseActions(value: unknown): SimulatedCheckRun["actions"] {
  return listOf(value, { name: "actions", max: MAX_ACTIONS }).map((action) => {
    for (const [name, max] of Object.entries(ACTION_LENGTHS)) {
      checkLength(requiredString(action, name), { name: `actions/${name}`, max });
    }
    return {
      label: requiredString(action, "label"),
      description: requiredString(action, "description"),
      identifier: requiredString(action, "identifier"),
    };
  });
}

function listOf(value: unknown, { name, max }: { name: string; max: number }): Record<string, unknown>[] {
  if (!Array.isArray(value))
    throw invalid(`For 'properties/${name}', ${JSON.stringify(value)} is not an array.`);
  if (value.length > max) {
    throw invalid(
      `For 'properties/${name}', no more than ${max} items are allowed; ${value.length} were supplied.`,
    );
  }
  return value.map(objectOf);
}
