import { Ajv } from "ajv";
import { loadWebhooks } from "./openapi-extract.ts";

/** Checks a payload against what GitHub says of this webhook ("repository-renamed"); a list of sentences. */
type CheckPayload = (name: string, payload: unknown) => string[];

/** Loads what GitHub says of these webhooks. */
export async function loadWebhookValidator(names: string[]): Promise<CheckPayload> {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  ajv.addSchema(await loadWebhooks(names), "github", false);
  return (name, payload) => {
    const validate = ajv.getSchema(`github#/webhooks/${name}`);
    if (!validate) return [`${name}: GitHub describes no such webhook.`];
    if (validate(payload)) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${name}: ${instancePath} ${message}`);
  };
}
