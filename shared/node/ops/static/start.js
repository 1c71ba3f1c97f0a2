// Starts Swagger UI. It is a file because the page's policy runs no script that is written in the page itself.
"use strict";

const { document: url, tries } = document.currentScript.dataset;
const withoutRequests = {
  supportedSubmitMethods: [],
  plugins: [() => ({ wrapComponents: { authorizeBtn: () => () => null, authorizeOperationBtn: () => () => null } })],
};

const page = SwaggerUIBundle({
  url,
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // else the document's address would go to a server of Swagger's
  ...(tries === "true" ? {} : withoutRequests),
});

// Its own encoder of this name fails in browsers, and the body of an envelope would not be shown.
page.getSystem().fn.jsonSchema202012.sampleEncoderAPI("base64url", (text) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", ""),
);
