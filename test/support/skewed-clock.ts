/** Loaded before everything else (`node --import`), it sets a process's clock CLOCK_HOURS ahead. */
const AHEAD_MS = Number(process.env.CLOCK_HOURS ?? 0) * 3_600_000;
const TrueDate = Date;

globalThis.Date = new Proxy(TrueDate, {
  construct(target, args, newTarget) {
    return Reflect.construct(target, args.length === 0 ? [target.now() + AHEAD_MS] : args, newTarget);
  },
  get(target, property, receiver) {
    if (property === "now") return () => target.now() + AHEAD_MS;
    return Reflect.get(target, property, receiver);
  },
});
