import { describe, expect, test } from "vitest";
import { describeCheckRun } from "../../src/github/check-run-output.ts";
import type { RunView } from "../../src/runs/read.ts";
import type { RunReport } from "../../src/runs/reporter.ts";

const HEAD = "3f2a9c1".padEnd(40, "0");
const runUrl = (id: string) => `https://repodex.example/runs/${id}`;

function report(run: Partial<RunView>, more: Partial<RunReport> = {}): RunReport {
  return {
    run: {
      id: "7",
      repository_id: "100",
      trigger: "push",
      state: "queued",
      stage: null,
      head_sha: HEAD,
      tree_sha: "9".repeat(40),
      verified: null,
      epoch: 1,
      failures: 0,
      max_failures: 5,
      reason: null,
      reason_code: null,
      wait_reason: null,
      requested_by: null,
      cancel_requested_by: null,
      superseded_by: null,
      queued_at: new Date("2026-01-01T12:00:00Z"),
      not_before: new Date("2026-01-01T12:40:00Z"),
      position: 3,
      started_at: new Date("2026-01-01T12:00:01Z"),
      finished_at: new Date("2026-01-01T12:00:05.5Z"),
      mode: "incremental",
      progress: {},
      version: 1,
      event_seq: 1,
      configuration_faults: [],
      ...run,
    },
    head_sha: HEAD,
    installation_id: "1",
    repository: { id: "100", owner: "octocat", name: "hello", archived: false },
    indexed_commit: "91be0d2".padEnd(40, "0"),
    indexed_unverified_path: null,
    replaced_by_sha: null,
    check_run_id: null,
    attempts: 1,
    settings: { check_run: "on", branch: null },
    was_shown: false,
    failures: 0,
    problems: [],
    skipped: [],
    ...more,
  };
}

const describeRun = (run: Partial<RunView>, more: Partial<RunReport> = {}) =>
  describeCheckRun(report(run, more), runUrl);

describe("the check run of a run", () => {
  test("that is queued says its place in line and who asked", () => {
    const { status, conclusion, output } = describeRun({ state: "queued", requested_by: "octocat" });

    expect({ status, conclusion }).toEqual({ status: "queued", conclusion: null });
    expect(output.title).toBe("Waiting to index 3f2a9c1");
    expect(output.summary).toBe("Number 3 in line.\n\nAsked for by octocat.");
  });

  test("that waits says until when, why, and which attempt follows", () => {
    const { output } = describeRun({ state: "queued", wait_reason: "GitHub answered 502.", failures: 2 });

    expect(output.title).toBe("Waiting until 12:40 UTC");
    expect(output.summary).toBe("GitHub answered 502\\.\n\nAttempt 3 of 5 follows.");
  });

  test("that is running says how far it is, and what search still answers from", () => {
    const { status, output } = describeRun({
      state: "running",
      stage: "reading files",
      progress: { files_done: 412, files_total: 1208 },
    });

    expect(status).toBe("in_progress");
    expect(output.title).toBe("Indexing 412 of 1,208 files");
    expect(output.summary).toBe("Stage: reading files.\n\nThe index still answers from `91be0d2`.");
  });

  test("that succeeded says what it did, what it left out by design, and the proof", () => {
    const { status, conclusion, output, actions } = describeRun(
      {
        state: "succeeded",
        verified: true,
        progress: {
          files_total: 1210,
          files_skipped: 2,
          files_failed: 0,
          files_changed: 5,
          files_removed: 1,
        },
      },
      { skipped: [{ state: "binary", count: 2 }] },
    );

    expect({ status, conclusion }).toEqual({ status: "completed", conclusion: "success" });
    expect(output.title).toBe("1,208 files indexed");
    expect(output.summary).toContain("Took 4.5 s.");
    expect(output.summary).toContain("5 changed, 1 removed, 1,205 unchanged.");
    expect(output.summary).toContain("| binary | 2 |");
    expect(output.summary).toContain(`Tree \`${"9".repeat(40)}\` verified`);
    expect(actions.map(({ identifier }) => identifier)).toEqual(["rescan", "rescan_full"]);
  });

  test("of a repository without commits is a success with nothing to index yet", () => {
    const { conclusion, output } = describeRun({ state: "succeeded", verified: null });

    expect(conclusion).toBe("success");
    expect(output.title).toBe("Nothing to index yet");
  });

  test("that could not read some files is neutral, with a table and annotations", () => {
    const problems = Array.from({ length: 30 }, (_, i) => ({
      path: `a|${i}.txt`,
      state: "encoding",
      reason: "Not UTF-8.",
    }));

    const { conclusion, output } = describeRun(
      { state: "succeeded", verified: true, progress: { files_total: 1208, files_failed: 60 } },
      { problems },
    );

    expect(conclusion).toBe("neutral");
    expect(output.title).toBe("1,148 of 1,208 files indexed");
    expect(output.summary.match(/^\| `a│/gm)).toHaveLength(20);
    expect(output.summary).toContain("…and 40 more");
    expect(output.annotations).toHaveLength(30);
    expect(output.annotations[0]).toMatchObject({
      path: "a|0.txt",
      annotation_level: "warning",
      message: "Not UTF-8.",
    });
  });

  test("whose configuration has mistakes is neutral, with an annotation on each line, before those on files", () => {
    const { conclusion, output } = describeRun(
      {
        state: "succeeded",
        verified: true,
        progress: { files_total: 3, files_failed: 1 },
        configuration_faults: [{ line: 3, column: 5, message: "Put *it* in quotes." }],
      },
      { problems: [{ path: "a.txt", state: "encoding", reason: "Not UTF-8." }] },
    );

    expect(conclusion).toBe("neutral");
    expect(output.title).toBe("Indexed with the last good configuration");
    expect(output.summary).toContain("| 3:5 | Put \\*it\\* in quotes\\. |");
    expect(output.summary).toContain("| `a.txt` | Not UTF\\-8\\. |");
    expect(output.annotations.map(({ path, start_line }) => [path, start_line])).toEqual([
      [".github/repodex.yml", 3],
      ["a.txt", 1],
    ]);
  });

  test("of a branch that is gone names it and the file that does", () => {
    const { output } = describeRun(
      { state: "succeeded", verified: null },
      { settings: { check_run: "on", branch: "release" } },
    );

    expect(output.summary).toBe("There is no branch `release`, which `.github/repodex.yml` names.");
  });

  test("whose file list could not be verified is neutral and names the directory", () => {
    const { conclusion, output } = describeRun(
      { state: "succeeded", verified: false, progress: { files_total: 3 } },
      { indexed_unverified_path: "src/`odd`" },
    );

    expect(conclusion).toBe("neutral");
    expect(output.summary).toContain("it differs in `` src/`odd` ``");
  });

  test("that failed says what happened and what to do", () => {
    const { conclusion, output } = describeRun({
      state: "failed",
      failures: 5,
      reason: "GitHub refused to list the files. Check that the App has the permissions of app.yml.",
      reason_code: "forbidden",
    });

    expect(conclusion).toBe("failure");
    expect(output.title).toBe("GitHub refused to list the files");
    expect(output.summary).toContain("Check that the App has the permissions of app\\.yml\\.");
    expect(output.summary).toContain("Tried 5 times.");
    expect(output.summary).toContain("`/rescan`");
  });

  test("that was replaced leads to the newer run", () => {
    const { conclusion, output } = describeRun({ state: "superseded", superseded_by: "8" });

    expect(conclusion).toBe("skipped");
    expect(output.summary).toContain("[Run 8](https://repodex.example/runs/8)");
  });

  test("whose head moved on says to which commit, whatever the run does now", () => {
    const { status, conclusion, output } = describeRun(
      { state: "running" },
      { replaced_by_sha: "8be1d20".padEnd(40, "0") },
    );

    expect({ status, conclusion }).toEqual({ status: "completed", conclusion: "skipped" });
    expect(output.title).toBe("Replaced by 8be1d20");
  });

  test("that was cancelled says by whom", () => {
    expect(describeRun({ state: "cancelled", cancel_requested_by: "octocat" }).output.title).toBe(
      "Cancelled by @octocat",
    );
  });

  test("keeps GitHub's limits, whatever the reason and the paths are", () => {
    const { output } = describeRun({ state: "failed", failures: 1, reason: "x".repeat(200_000) });

    expect(output.title.length).toBeLessThanOrEqual(255);
    expect(output.summary.length).toBeLessThanOrEqual(65_535);
  });
});
