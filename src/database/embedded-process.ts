import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import path from "node:path";

export interface Postmaster {
  pid: number;
  /** Where its Unix socket is; null while it has not got that far. */
  socketFolder: string | null;
}

/**
 * A name of this process that no later one with the same id shares, or null where there is none or only its
 * zombie: a container without an init process keeps zombies for ever.
 */
export function processIdentity(pid: number): string | null {
  return process.platform === "linux" ? linuxIdentity(pid) : psIdentity(pid);
}

/** proc_pid_stat(5): the name stands in parentheses and may hold some itself; state is field 3, start 22. */
function linuxIdentity(pid: number): string | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return null;
  const boot = readOrNull("/proc/sys/kernel/random/boot_id")?.slice(0, 8) ?? "";
  return `${pid}-${fields[19]}-${boot}`;
}

function psIdentity(pid: number): string | null {
  const [state, ...started] = ps(pid, "stat=,lstart=").split(/\s+/);
  return !state || state.startsWith("Z") ? null : `${pid}-${started.join("-").replaceAll(":", "-")}`;
}

/** The process that owns a data directory by its postmaster.pid, which a crash leaves behind. */
export function readPostmaster(pgdata: string): Postmaster | null {
  const lines = readOrNull(path.join(pgdata, "postmaster.pid"))?.split("\n") ?? [];
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return { pid, socketFolder: lines[4] || null };
}

/**
 * Whether a process is surely not the server of this data directory. A server works inside its directory, which
 * only Linux shows; what cannot be seen counts as its server.
 */
export function isProvablyNotServer(pid: number, pgdata: string): boolean {
  if (processIdentity(pid) === null) return true;
  if (process.platform !== "linux") {
    const command = path.basename(ps(pid, "comm="));
    return command !== "" && command !== "postgres";
  }
  const command = readOrNull(`/proc/${pid}/comm`)?.trim();
  if (command !== undefined && command !== "postgres") return true;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) !== pgdata;
  } catch {
    return false;
  }
}

/** Whether the id is taken, if only by a zombie. */
export function isPidTaken(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

function ps(pid: number, format: string): string {
  try {
    return execFileSync("/bin/ps", ["-o", format, "-p", String(pid)], {
      encoding: "utf8",
      env: { LC_ALL: "C", TZ: "UTC" },
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "";
  }
}
