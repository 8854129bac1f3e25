import { onTestFinished } from "vitest";

/** What was rejected and never looked at, in this process and so in an app that runs in it, until the test ends. */
export function watchRejections(): unknown[] {
  const rejections: unknown[] = [];
  const note = (reason: unknown) => void rejections.push(reason);
  process.on("unhandledRejection", note);
  onTestFinished(() => void process.off("unhandledRejection", note));
  return rejections;
}
