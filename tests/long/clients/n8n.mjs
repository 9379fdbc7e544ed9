// Checks the guide's n8n workflow against n8n's own descriptions of its nodes: takes the package's directory and
// the workflow. n8n itself is not run: it needs Node.js 24 and over a gigabyte.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const [directory, file] = process.argv.slice(2);
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const known = read(`${directory}/dist/types/nodes.json`);
const { nodes, connections } = read(file);

for (const { name, type, typeVersion, parameters } of nodes) {
  const described = known.find(
    (each) => `n8n-nodes-base.${each.name}` === type && [each.version].flat().includes(typeVersion),
  );
  assert.ok(described, `${name}: n8n has no ${type} ${typeVersion}`);
  for (const [parameter, value] of Object.entries(parameters)) {
    const properties = described.properties.filter((each) => each.name === parameter);
    assert.ok(properties.length > 0, `${name}: ${type} has no ${parameter}`);
    const choices = properties.filter((each) => each.type === "options" && each.options).flatMap((each) => each.options);
    const fits = choices.length === 0 || choices.some((each) => each.value === value);
    assert.ok(fits, `${name}: ${parameter} is ${value}`);
  }
}
for (const [from, { main }] of Object.entries(connections)) {
  for (const name of [from, ...main.flat().map((to) => to.node)]) {
    assert.ok(nodes.some((node) => node.name === name), `a connection names ${name}`);
  }
}
console.log(`tests/long/clients: n8n knows the ${nodes.length} nodes of the workflow`);
