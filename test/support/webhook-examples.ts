import webhooks from "@octokit/webhooks-examples" with { type: "json" };

export interface WebhookExamples {
  /** The event, as X-GitHub-Event names it. */
  name: string;
  examples: Record<string, unknown>[];
}

/** Real payloads, by event. The package's declaration speaks of a default export, which its JSON does not have. */
export const webhookExamples = webhooks as unknown as WebhookExamples[];
