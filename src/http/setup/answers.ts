import { isLocal } from "../../config.ts";

/** What the person says who registers the App, as it was typed. */
export interface Answers {
  publicUrl: string;
  name: string;
  organization: string;
}

/** A sentence for each answer that will not do. */
export type Faults = Partial<Record<keyof Answers, string>>;

/** GitHub's limit. https://docs.github.com/en/apps/creating-github-apps/registering-a-github-app */
export const MAX_NAME = 34;
const MAX_URL = 2_000;

/** The answers of a submitted form, and what is wrong with them. */
export function readAnswers(
  form: Record<string, unknown>,
  { privateNetwork }: { privateNetwork: boolean },
): { answers: Answers; faults: Faults } {
  const read = (name: keyof Answers) => (typeof form[name] === "string" ? form[name].trim() : "");
  const answers = {
    publicUrl: read("publicUrl").replace(/\/+$/, ""),
    name: read("name"),
    organization: read("organization"),
  };
  const found = {
    publicUrl: faultOfUrl(answers.publicUrl, privateNetwork),
    name: faultOfName(answers.name),
    organization: faultOfOrganization(answers.organization),
  };
  const faults = Object.fromEntries(Object.entries(found).filter(([, fault]) => fault !== null)) as Faults;
  return { answers, faults };
}

/** github.com delivers to the internet alone; an Enterprise Server may have this one in its own network, without TLS. */
function faultOfUrl(text: string, privateNetwork: boolean): string | null {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || text.length > MAX_URL) {
    return "Enter the whole address, as in https://repodex.example.com.";
  }
  if (url.username || url.password || url.search || url.hash) {
    return "Enter the address without a user, a question mark or a hash sign.";
  }
  if (privateNetwork) return null;
  if (isLocal(url)) {
    return "GitHub cannot reach this machine under that name. Enter the address of your reverse proxy or tunnel.";
  }
  return url.protocol === "https:"
    ? null
    : "Enter an https address: GitHub sends what happens in your repositories there.";
}

function faultOfName(name: string): string | null {
  if (name === "") return "Enter a name that no other App on GitHub has.";
  return [...name].length > MAX_NAME
    ? `Enter a shorter name: GitHub takes at most ${MAX_NAME} characters.`
    : null;
}

function faultOfOrganization(login: string): string | null {
  if (login === "" || /^[a-z\d](?:[a-z\d-]{0,38})$/i.test(login)) return null;
  return "Enter the organization's name as it is in its address on GitHub, or leave this empty.";
}
