import { expect, test } from "vitest";
import { languageOfName } from "../../src/scan/language.ts";

test.each([
  ["src/main.ts", "TypeScript"],
  ["a/b/App.tsx", "TSX"],
  ["Makefile", "Makefile"],
  ["deep/down/Dockerfile", "Dockerfile"],
  ["lib/thing.py", "Python"],
  ["include/x.h", "C"],
  ["README.md", "Markdown"],
  ["lib.rs", "Rust"],
  ["Program.CS", "C#"],
  ["config.yml", "YAML"],
  ["query.sql", "SQL"],
  ["view.blade.php", "Blade"],
  ["index.php", "PHP"],
  ["LICENSE.unknownthing", null],
  ["noextension", null],
  [".gitignore", "Ignore List"],
  ["constructor", null],
  ["a.constructor", null],
])("%s is %s", (path, language) => {
  expect(languageOfName(path).language).toBe(language);
});
