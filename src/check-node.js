// Plain JavaScript, loaded before anything else: an older Node cannot even read the .ts files it would explain.
const NEEDED = 24;
const major = Number(process.versions.node.split(".")[0]);
if (major < NEEDED) {
  console.error(
    `Repodex needs Node ${NEEDED} or newer; this is ${process.versions.node}. ` +
      "Install it from https://nodejs.org, or run `npm ci` and use the npm scripts (npm start, npm run demo), " +
      "which bring their own.",
  );
  process.exit(1);
}
