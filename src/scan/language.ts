import * as linguist from "linguist-languages";
import { textHintOf } from "./language-of-text.ts";

/**
 * What an extension that several languages share most often means, where the text does not say. The others go to
 * the language that names the extension first, programming languages before the rest.
 */
const PREFERRED: Record<string, string> = {
  ".as": "ActionScript",
  ".b": "Brainfuck",
  ".bas": "Visual Basic 6.0",
  ".bb": "BitBake",
  ".cl": "OpenCL",
  ".cls": "Apex",
  ".es": "JavaScript",
  ".ex": "Elixir",
  ".f": "Fortran",
  ".fcgi": "Perl",
  ".for": "Fortran",
  ".frag": "GLSL",
  ".frm": "VBA",
  ".fs": "F#",
  ".fx": "HLSL",
  ".g": "GAP",
  ".gs": "JavaScript",
  ".h": "C",
  ".hh": "C++",
  ".html": "HTML",
  ".i": "SWIG",
  ".inc": "PHP",
  ".l": "Lex",
  ".lisp": "Common Lisp",
  ".m": "Objective-C",
  ".md": "Markdown",
  ".mod": "Modula-2",
  ".mm": "Objective-C++",
  ".ms": "Roff",
  ".n": "Roff",
  ".nl": "NewLisp",
  ".odin": "Odin",
  ".p": "OpenEdge ABL",
  ".pl": "Perl",
  ".plist": "XML Property List",
  ".pm": "Perl",
  ".pp": "Puppet",
  ".pro": "QMake",
  ".properties": "Java Properties",
  ".r": "R",
  ".rs": "Rust",
  ".s": "Unix Assembly",
  ".sc": "Scala",
  ".scm": "Scheme",
  ".sls": "Salt",
  ".sol": "Solidity",
  ".spec": "RPM Spec",
  ".sql": "SQL",
  ".t": "Perl",
  ".toc": "TeX",
  ".ts": "TypeScript",
  ".tsx": "TSX",
  ".txt": "Text",
  ".v": "Verilog",
  ".yaml": "YAML",
  ".yml": "YAML",
  ".yy": "Yacc",
};

interface Language {
  name: string;
  type: string;
  extensions?: readonly string[] | undefined;
  filenames?: readonly string[] | undefined;
}

const languages: Language[] = Object.values(linguist);
const byFilename = new Map(
  languages.flatMap((language) => (language.filenames ?? []).map((name) => [name, language.name])),
);
const byExtension = new Map<string, string>();
for (const [extension, candidates] of Map.groupBy(
  languages.flatMap(extensionsOf),
  ([extension]) => extension,
)) {
  const best = candidates
    .map(([, language]) => language)
    .reduce((a, b) => (rank(b, extension) > rank(a, extension) ? b : a));
  byExtension.set(extension, PREFERRED[extension] ?? best.name);
}

function extensionsOf(language: Language): [string, Language][] {
  return (language.extensions ?? []).map((extension) => [extension.toLowerCase(), language]);
}

function rank(language: Language, extension: string): number {
  return (language.extensions?.[0] === extension ? 2 : 0) + (language.type === "programming" ? 1 : 0);
}

/** What a name says of a language, as GitHub's linguist names it; null where it says nothing. */
export interface NamedLanguage {
  language: string | null;
  /** What to ask the file's text for (languageOfText), or null where the name settles it. */
  hint: string | null;
}

/** A file's language by its name alone. */
export function languageOfName(path: string): NamedLanguage {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const exact = byFilename.get(name);
  if (exact !== undefined) return { language: exact, hint: null };
  const language = languageOfExtension(name.toLowerCase());
  return { language, hint: textHintOf(name, language !== null) };
}

/** By the longest of its extensions that is known. */
function languageOfExtension(name: string): string | null {
  for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
    const language = byExtension.get(name.slice(dot));
    if (language !== undefined) return language;
  }
  return null;
}
