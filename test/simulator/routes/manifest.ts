import { json, notFound } from "../answers.ts";
import type { Call, Route } from "../router.ts";
import type { Simulation } from "../simulation.ts";
import { viewApp } from "../views/app.ts";

/** The last step of registering an App from a manifest: its code for its credentials, which nobody sees twice. */
export const manifestRoutes: Route[] = [
  {
    method: "POST",
    template: "/app-manifests/{code}/conversions",
    by: "anyone",
    answer: convert,
  },
];

function convert({ params }: Call, simulation: Simulation) {
  const registration = simulation.registrations.take(params.code ?? "");
  if (!registration) throw notFound();
  const app = viewApp(simulation);
  return json(201, {
    ...app,
    name: registration.manifest.name ?? app.name,
    external_url: registration.manifest.url,
    client_secret: simulation.authorizations.clientSecret,
    webhook_secret: simulation.hook.secret,
    pem: simulation.tokens.privateKey,
  });
}
