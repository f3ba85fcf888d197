import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const root = new URL("../", import.meta.url);
const maxBytes = 15 * 1024;

test("the package is at most 15 KB gzipped, the hook included, and not minified", () => {
	const names = readdirSync(new URL("dist/", root)).filter((name) => name.endsWith(".js"));
	const size = gzipSync(Buffer.concat(names.map((name) => readFileSync(new URL(`dist/${name}`, root)))), { level: 9 }).length;
	console.log(`${names.length} files, ${size} bytes gzipped`);
	assert.ok(names.includes("index.js") && names.includes("react.js"));
	assert.ok(size <= maxBytes, `${size} bytes gzipped, at most ${maxBytes} are allowed`);
});

test("nothing is needed at run time, and only the hook imports React", () => {
	const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
	assert.equal(manifest.dependencies, undefined);
	for (const name of readdirSync(new URL("dist/", root)).filter((file) => file.endsWith(".js"))) {
		const text = readFileSync(new URL(`dist/${name}`, root), "utf8");
		const foreign = [...text.matchAll(/from "([^"]+)"/g)].map((match) => match[1]!).filter((from) => !from.startsWith("./"));
		assert.deepEqual([...new Set(foreign)], name === "react.js" ? ["react"] : [], name);
	}
});

test("the lock files name no registry but npm's own", () => {
	const locks = ["", "examples/react/"].map((directory) => readFileSync(new URL(`${directory}package-lock.json`, root), "utf8"));
	const hosts = [...locks.join().matchAll(/"resolved": "(\w+:[^"]+)"/g)].map((match) => new URL(match[1]!).host);
	assert.deepEqual([...new Set(hosts)].filter((host) => host !== "registry.npmjs.org"), []);
});

test("the first live event takes 15 lines, which are those of the quickstart and run", () => {
	const path = new URL("examples/first.mjs", root);
	const program = readFileSync(path, "utf8");
	assert.ok(program.trimEnd().split("\n").length <= 15, "more than 15 lines");
	const page = readFileSync(new URL("../../docs/quickstart/typescript.md", root), "utf8");
	assert.ok(page.includes("```js\n" + program + "```\n"), "docs/quickstart/typescript.md shows another program than examples/first.mjs");
	const { stdout, stderr } = spawnSync(process.execPath, ["--experimental-websocket", path.pathname], {
		encoding: "utf8",
		env: { ...process.env, KALAM_URL: process.env["KALAM_TEST_URL"], KALAM_ROOT_PASSWORD: process.env["KALAM_TEST_ROOT_PASSWORD"] },
	});
	assert.equal(stdout, "insert hello\n", stderr);
});
