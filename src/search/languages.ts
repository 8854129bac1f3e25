import * as linguist from "linguist-languages";

interface Language {
  name: string;
  aliases?: readonly string[] | undefined;
}

const byName = new Map<string, string>();
const languages: Language[] = Object.values(linguist);
for (const { name, aliases } of languages) for (const alias of aliases ?? []) byName.set(alias, name);
for (const { name } of languages) byName.set(name.toLowerCase().replaceAll(" ", "-"), name);
for (const { name } of languages) byName.set(name.toLowerCase(), name);

/** A language's name as linguist has it, by that name or another that GitHub knows: "js" is "JavaScript". */
export function languageNamed(name: string): string | null {
  return byName.get(name.toLowerCase()) ?? null;
}

/** Up to three languages whose names begin alike. */
export function languagesLike(name: string): string[] {
  for (let length = name.length; length > 1; length -= 1) {
    const start = name.slice(0, length).toLowerCase();
    const names = [...byName].filter(([other]) => other.startsWith(start)).map(([, language]) => language);
    if (names.length > 0) return [...new Set(names)].slice(0, 3);
  }
  return [];
}
