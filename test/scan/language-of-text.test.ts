import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { languageOfName } from "../../src/scan/language.ts";
import { languageOfText } from "../../src/scan/language-of-text.ts";

/** The language of a file as a scan tells it: by its text where the name asks for it. */
function languageOf(name: string, text: string): string | null {
  const { language, hint } = languageOfName(name);
  return (hint === null ? null : languageOfText(hint, text)) ?? language;
}

describe("an extension that languages share", () => {
  test.each([
    ["list.h", "#ifndef LIST_H\n#define LIST_H\nstruct list { int n; };\n#endif\n", "C"],
    ["list.h", "#pragma once\n#include <vector>\n\nclass List {\n public:\n  int n;\n};\n", "C++"],
    ["list.h", "namespace a {\nint f();\n}\n", "C++"],
    ["View.h", "#import <UIKit/UIKit.h>\n@interface View : UIView\n@end\n", "Objective-C"],
    ["View.m", '#import "View.h"\n@implementation View\n@end\n', "Objective-C"],
    ["solve.m", "function x = solve(a)\n% Solves it.\nx = a \\ 1;\nend\n", "MATLAB"],
    ["tree.m", ":- module tree.\n:- interface.\n", "Mercury"],
    ["plot.m", "(* Mathematica *)\nPlot[x, {x, 0, 1}]\n", "Wolfram Language"],
    ["main.pl", "#!/usr/bin/perl\nuse strict;\nmy $x = 1;\n", "Perl"],
    ["family.pl", "parent(a, b).\ngrand(X, Z) :- parent(X, Y), parent(Y, Z).\n", "Prolog"],
    ["Test.t", "use v6;\nuse Test;\nplan 1;\n", "Raku"],
    ["basic.t", "use strict;\nuse Test::More;\n", "Perl"],
    ["main.ts", "export const answer = 42;\n", "TypeScript"],
    ["de.ts", '<?xml version="1.0"?>\n<!DOCTYPE TS>\n<TS version="2.1"></TS>\n', "XML"],
    ["counter.v", "`timescale 1ns/1ps\nmodule counter(input clk);\nendmodule\n", "Verilog"],
    ["Proof.v", "Require Import List.\nTheorem t : True.\nProof. exact I. Qed.\n", "Rocq Prover"],
    ["plain.r", "x <- c(1, 2)\n", "R"],
    ["schema.sql", "create table t (id int);\n", "SQL"],
    ["f.sql", "create function f() returns int as $$ begin return 1; end $$ language plpgsql;\n", "PLpgSQL"],
    ["proc.sql", "DECLARE @n int\nGO\n", "TSQL"],
    ["thesis.cls", "\\NeedsTeXFormat{LaTeX2e}\n\\ProvidesClass{thesis}\n", "TeX"],
    ["Form.cls", "VERSION 1.0 CLASS\nBEGIN\nEND\n", "Visual Basic 6.0"],
    ["Account.cls", "public class Account { }\n", "Apex"],
    ["Lib.fs", "module Lib\nlet f x = x + 1\n", "F#"],
    ["words.fs", ": square dup * ;\n", "Forth"],
    ["player.gd", "extends Node2D\nfunc _ready():\n\tpass\n", "GDScript"],
    ["Program.cs", "using System;\nnamespace A { }\n", "C#"],
    ["init.d", "module init;\nimport std.stdio;\n", "D"],
    ["script.inc", "<?php\necho 1;\n", "PHP"],
    ["insn.md", '(define_insn "addsi3" [])\n', "GCC Machine Description"],
    ["README.md", "# (define_insn\n", "Markdown"],
    ["init.pp", "class nginx {\n  package { 'nginx': }\n}\n", "Puppet"],
    ["unit.pp", "unit Main;\ninterface\nend.\n", "Pascal"],
    ["app.pro", "QT += core\nSOURCES += main.cpp\n", "QMake"],
    ["lib.rs", "pub fn main() {}\n", "Rust"],
    ["data.yy", '{\n  "name": "sprite"\n}\n', "JSON"],
    ["grammar.yy", "%{\n#include <x.h>\n%}\n%%\n", "Yacc"],
    ["tiny.ml", "let rec f x = match x with [] -> 0 | _ -> 1\n", "OCaml"],
    ["list.ml", "fun length xs = case xs of nil => 0\n", "Standard ML"],
    ["empty.h", "", "C"],
  ])("%s that says %j is %s", (name, text, language) => {
    expect(languageOf(name, text)).toBe(language);
  });
});

describe("a script without an extension", () => {
  test.each([
    ["#!/bin/sh\necho\n", "Shell"],
    ["#!/usr/bin/env python3\n", "Python"],
    ["#!/usr/bin/env -S FOO=1 node --no-warnings\n", "JavaScript"],
    ["#! /usr/local/bin/perl5.36 -w\r\n", "Perl"],
    ["#!/usr/bin/env Rscript", "R"],
    ["#!/opt/constructor\n", null],
    ["#!\n", null],
    ["no script\n#!/bin/sh\n", null],
  ])("%j is %s", (text, language) => {
    expect(languageOf("bin/run", text)).toBe(language);
  });

  test("is named by its name where that is known", () => {
    expect(languageOf("Makefile", "#!/usr/bin/env python3\n")).toBe("Makefile");
    expect(languageOfName("Makefile").hint).toBeNull();
    expect(languageOfName("main.py").hint).toBeNull();
  });
});

test("every language that a text can tell is one of linguist's", async () => {
  const known = new Set<string>(Object.values(await import("linguist-languages")).map(({ name }) => name));
  const source = await import("node:fs/promises").then((fs) =>
    fs.readFile(new URL("../../src/scan/language-of-text.ts", import.meta.url), "utf8"),
  );
  const named = [...source.matchAll(/\["([A-Z][^"]*)", |: "([A-Za-z][^"]*)",$/gm)].map((m) => m[1] ?? m[2]);

  expect(named.length).toBeGreaterThan(100);
  expect(named.filter((name) => !known.has(name as string))).toEqual([]);
});

test("no text of the size that is looked at takes long, however it is made", () => {
  const extensions = [
    ".h",
    ".m",
    ".pl",
    ".inc",
    ".d",
    ".cls",
    ".sql",
    ".pp",
    ".pm",
    ".x",
    ".ml",
    ".bb",
    ".st",
    ".md",
  ];
  const pieces = fc.constantFrom(
    " ",
    "\t",
    "\n",
    "a",
    "#",
    ":",
    "-",
    "<",
    "(",
    "use ",
    "class a",
    "case ",
    "\\",
    "@",
    "typedef ",
    "def ",
    "\r\n",
    ";",
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...extensions),
      fc.array(pieces, { minLength: 1, maxLength: 4 }),
      (extension, unit) => {
        const text = unit
          .join("")
          .repeat(50 * 1024)
          .slice(0, 50 * 1024);
        const startedAt = performance.now();

        languageOfText(extension, text);

        expect(performance.now() - startedAt).toBeLessThan(500);
      },
    ),
    { numRuns: 150 },
  );
});
