/**
 * What a text says of its language where its name does not: an extension that several languages share, or a script
 * that has none. The rules follow GitHub linguist's heuristics, as regular expressions that take linear time:
 * github.com/github-linguist/linguist/blob/main/lib/linguist/heuristics.yml
 */

/** Characters looked at; linguist reads 50 KiB. */
const HEAD_CHARACTERS = 50 * 1024;

/** A script's first line decides. */
const SHEBANG = "#!";

type Rule = [language: string, pattern: RegExp];

const XML: Rule = ["XML", /^\uFEFF?[ \t\r\n]{0,100}<\?xml\b/];
const CPP: Rule = [
  "C++",
  /^[ \t]*(?:template[ \t]*<|class[ \t]+\w+[^;\n]{0,200}[{:]?$|namespace\b|using[ \t]+(?:namespace\b|\w+[ \t]*=)|(?:public|protected|private)[ \t]*:|constexpr\b|#[ \t]*include[ \t]*<(?:cstdint|string|vector|map|list|array|iostream|memory|utility|algorithm|functional|type_traits|unordered_map)>)|\bstd::/m,
];
const OBJECTIVE_C: Rule = [
  "Objective-C",
  /^[ \t]*(?:@(?:interface|class|protocol|property|end|synchronized|selector|implementation|import)\b|#import[ \t]+["<])/m,
];
const PROLOG: Rule = ["Prolog", /^[^#%\n]{0,300}:-|^:- ?\w/m];
const RAKU: Rule = [
  "Raku",
  /^[ \t]*(?:use[ \t]+v6\b|(?:my[ \t]+)?(?:unit[ \t]+)?(?:class|module|role|grammar)[ \t]+[\w:]+[ \t]*[;{])/m,
];
const PERL: Rule = [
  "Perl",
  /^[ \t]*(?:use[ \t]+(?:strict\b|warnings\b|v?5\b)|package[ \t]+[\w:]+|sub[ \t]+\w+|my[ \t]+[$@%])/m,
];
const VB6: Rule = ["Visual Basic 6.0", /^[ \t]*(?:VERSION \d\.\d+ CLASS|Attribute VB_Name|Begin VB\.)/m];

/** For each extension the languages to try, the surer sign first. Without one, the name's own language holds. */
const RULES: Record<string, Rule[]> = {
  ".as": [["AngelScript", /^[ \t]*(?:#include[ \t]+|shared[ \t]+class\b|funcdef\b|\w+@[ \t]+\w+)/m]],
  ".asc": [
    ["Public Key", /^-----BEGIN |^ssh-(?:dss|rsa) /m],
    ["AsciiDoc", /^[=-]{2,}(?: |$)|^\[\w+/m],
    [
      "AGS Script",
      /^(?:\/\/.{1,200}|(?:import|export)?[ \t]*(?:function|int|float|char)[ \t]+\w+[ \t]*\(?)/m,
    ],
  ],
  ".bas": [
    ["FreeBASIC", /^[ \t]*#(?:include|define|if|ifdef|pragma|lang)\b/im],
    VB6,
    ["BASIC", /^[ \t]*\d+[ \t]+\w/m],
  ],
  ".bb": [
    ["BlitzBasic", /^[ \t]*;|^[ \t]*End (?:Function|Type)\b|^[ \t]*(?:Graphics|Global|Dim)[ \t]/m],
    ["Clojure", /^#!.*\bbb$|^[ \t]*\((?:ns|def|defn|require|println)\b/m],
    [
      "BitBake",
      /^(?:(?:SUMMARY|DESCRIPTION|LICENSE|SRC_URI|PR|PV)\b[^=\n]{0,50}=|inherit[ \t]|do_\w+[ \t]*\()/m,
    ],
  ],
  ".cgi": [
    ["Python", /^#!.*\bpython/],
    ["Shell", /^#!.*\b(?:ba|da|k|z)?sh\b/],
    ["Perl", /^#!.*\bperl/],
  ],
  ".cl": [
    ["Common Lisp", /^[ \t]*\((?:defun|defmacro|defpackage|in-package|defclass|defparameter) /im],
    ["Cool", /^class[ \t]+\w+[ \t]*(?:inherits[ \t]+\w+[ \t]*)?\{/m],
    ["OpenCL", /\/\* |\/\/ |^\}|__kernel\b/m],
  ],
  ".cls": [
    ["TeX", /^[ \t]*\\(?:NeedsTeXFormat|ProvidesClass)\{/m],
    VB6,
    ["ObjectScript", /^Class[ \t]+[\w.%]+[ \t]+(?:Extends|\[|\{)/m],
    ["OpenEdge ABL", /^[ \t]*(?:CLASS|USING|BLOCK-LEVEL)[ \t]+[\w.]+[^;\n]{0,200}[:.]$/m],
  ],
  ".cs": [
    ["Smalltalk", /^![\w\s]{0,100}methodsFor: |^[A-Z][\w ]* subclass: #/m],
    ["C#", /^[ \t]*(?:using[ \t]+[A-Z][\w.]*[ \t]*;|namespace\b|\/\/)/m],
  ],
  ".d": [
    [
      "DTrace",
      /^(?:\w+:\w*:\w*:\w*|BEGIN|END|provider[ \t]+\w+|#pragma[ \t]+(?:D[ \t]+)?(?:option|attributes))/m,
    ],
    ["Makefile", /^[\w./\\-]+[ \t]*:[ \t]+\S.*\\?$|^[ \t]+\S.*\\$/m],
    ["D", /^[ \t]*(?:module|import|version|unittest|public import)\b/m],
  ],
  ".es": [["Erlang", /^[ \t]*(?:%%|main[ \t]*\(.*?\)[ \t]*->|-module\()/m]],
  ".ex": [
    ["Elixir", /^[ \t]*(?:@moduledoc|defmodule|alias|import|require|use|def|defp)\b/m],
    [
      "Euphoria",
      /^(?:global[ \t]+)?(?:procedure|function|type|include|constant|atom|sequence|without|with)\b/m,
    ],
  ],
  ".f": [
    ["Forth", /^: |^\\ /m],
    [
      "Fortran",
      /^(?:[c*][^abd-z]|[ \t]+(?:subroutine|program|end|data|call|integer|real|return)\b|[ \t]*!)/im,
    ],
  ],
  ".for": [
    ["Forth", /^: |^\\ /m],
    [
      "Fortran",
      /^(?:[c*][^abd-z]|[ \t]+(?:subroutine|program|end|data|call|integer|real|return)\b|[ \t]*!)/im,
    ],
  ],
  ".fcgi": [
    ["PHP", /^(?:#!.*\bphp|<\?php)/],
    ["Python", /^#!.*\bpython/],
    ["Ruby", /^#!.*\bruby/],
    ["Lua", /^#!.*\blua/],
    ["Shell", /^#!.*\b(?:ba|da|k|z)?sh\b/],
    ["Perl", /^#!.*\bperl/],
  ],
  ".fs": [
    ["Forth", /^: \S|^new-device$/m],
    ["F#", /^[ \t]*(?:#light|import|let|module|namespace|open|type)\b/m],
    ["GLSL", /^[ \t]*(?:#version|precision|uniform|varying|attribute|void[ \t]+main|vec[234])\b/m],
    ["Filterscript", /#include|#pragma[ \t]+(?:rs|version)|__attribute__/],
  ],
  ".g": [["G-code", /^[MG]\d+(?:[ \t]|$)/m]],
  ".gd": [
    [
      "GAP",
      /[ \t](?:Declare|BindGlobal|KeyDependentOperation)|^Declare(?:Category|Operation|Attribute|GlobalFunction)/m,
    ],
    ["GDScript", /^[ \t]*(?:extends|class_name|var|const|enum|func|class|signal|tool|onready|export)\b/m],
  ],
  ".gs": [
    ["GLSL", /^#version[ \t]+\d+\b/m],
    ["Gosu", /^uses[ \t]+(?:java|gw)\./m],
    ["Genie", /^\[indent[ \t]*=[ \t]*\d+\]/m],
  ],
  ".h": [OBJECTIVE_C, CPP],
  ".hh": [["Hack", /<\?hh\b/]],
  ".inc": [
    ["PHP", /^<\?(?:php)?/m],
    [
      "SourcePawn",
      /^public[ \t]+(?:SharedPlugin|Extension|PlVers)|^(?:methodmap|native|forward)[ \t]+\w|#pragma[ \t]+newdecls/m,
    ],
    ["POV-Ray SDL", /^[ \t]*#(?:declare|local|macro|while)[ \t]/m],
    ["Pascal", /^[ \t]*\{\$|^[ \t]*(?:procedure|function|uses|unit|implementation)\b[^{\n]*;?$/im],
    ["BitBake", /^(?:inherit[ \t]|(?:SRC_URI|LICENSE|DEPENDS|PV)\b[^=\n]{0,50}=|do_\w+[ \t]*\()/m],
    [
      "Assembly",
      /^[ \t]*(?:;|\.?(?:macro|endm|equ|section|global|extern|org|byte|word|include)\b|\w+[ \t]+(?:equ|macro)\b)/im,
    ],
    CPP,
  ],
  ".l": [
    ["Common Lisp", /^\((?:def|in-package|let|setq|load)/m],
    ["Lex", /^(?:%[%{}]|%option\b)/m],
    ["Roff", /^\.[A-Za-z]{2}(?:[ \t]|$)/m],
    ["PicoLisp", /^\((?:de|class|rel|code|must)[ \t]/m],
  ],
  ".ls": [["LoomScript", /^[ \t]*package[ \t]*[\w.]*\s*\{/m]],
  ".lsp": [
    ["Common Lisp", /^[ \t]*\((?:defun|in-package|defpackage|defparameter|defvar|defmacro) /im],
    ["NewLisp", /^[ \t]*\((?:define|context|set) /m],
  ],
  ".m": [
    OBJECTIVE_C,
    ["Mercury", /^:- (?:module|interface|import_module|pred|func)\b/m],
    ["MUF", /^: /m],
    ["M", /^[ \t]*;/m],
    ["Wolfram Language", /\(\*|\bBeginPackage\[|:=\s*Module\[/],
    ["MATLAB", /^[ \t]*(?:%|function\b|classdef\b|end[ \t;]*$)/m],
    ["Limbo", /^\w+[ \t]*:[ \t]*module[ \t]*\{/m],
  ],
  ".md": [["GCC Machine Description", /^\(define_(?:insn|expand|mode|attr|constants|peephole)\b/m]],
  ".ml": [
    [
      "OCaml",
      /(?:^[ \t]*let[ \t]+rec\b)|^[ \t]*(?:open[ \t]+[A-Z]|module[ \t]+[A-Z]\w*[ \t]*=)|\bmatch\b[^\n]{0,200}\bwith\b|->|;;/m,
    ],
    ["Standard ML", /=>|\bcase[ \t][^\n]{0,200}[ \t]of\b|^[ \t]*(?:structure|signature|functor|fun)[ \t]/m],
  ],
  ".mm": [["XML", XML[1]]],
  ".mod": [
    ["XML", /^\uFEFF?[ \t\r\n]{0,100}<(?:\?xml|!ENTITY)\b/],
    ["Modula-2", /^[ \t]*(?:DEFINITION[ \t]+|IMPLEMENTATION[ \t]+)?MODULE[ \t]+\w+|^[ \t]*END \w+\.$/m],
    ["AMPL", /^[ \t]*(?:(?:param|set|var|minimize|maximize|subject to)[ \t]+\w+)/m],
  ],
  ".ms": [
    ["Roff", /^[.'][A-Za-z]{2}(?:[ \t]|$)/m],
    ["Unix Assembly", /^[ \t]*\.(?:include|globa?l|section|text|data)\b/m],
    ["MAXScript", /^[ \t]*(?:rollout|utility|plugin|fn|macroscript)[ \t]+\w/im],
  ],
  ".n": [
    ["Roff", /^[.'][A-Za-z]{2}(?:[ \t]|$)/m],
    ["Nemerle", /^[ \t]*(?:module|namespace|using)\b/m],
  ],
  ".p": [
    [
      "Gnuplot",
      /^[ \t]*(?:set[ \t]+(?:term|terminal|out|output|xlabel|[xy]tics|[xy]range|style|title|key)|s?plot)\b/m,
    ],
    ["OpenEdge ABL", /\b(?:define|procedure|end procedure|find first|message)\b/i],
  ],
  ".php": [["Hack", /<\?hh\b/]],
  ".pl": [["Prolog", PROLOG[1]], PERL, RAKU],
  ".pm": [PERL, RAKU, ["X PixMap", /^[ \t]*\/\* XPM \*\//m]],
  ".pp": [
    ["Pascal", /^[ \t]*(?:end[.;]|unit[ \t]+\w+;|program[ \t]+\w+;|\{\$)/im],
    ["Puppet", /^[ \t]*(?:class|define|node|include|file|package|service)[ \t]+[^;\n]*[{:]?$/m],
  ],
  ".pro": [
    PROLOG,
    ["INI", /^\[\w+\]$/m],
    ["QMake", /^[ \t]*(?:HEADERS|SOURCES|TEMPLATE|TARGET|CONFIG|QT)[ \t]*[+-]?=/m],
    ["IDL", /^[ \t]*(?:pro|function)[ \t]+\w+[ \t]*(?:,|$)/im],
    ["Proguard", /^-(?:keep|dont|optimiz|include)/m],
  ],
  ".properties": [["INI", /^\[[^\]\n]+\]$/m]],
  ".r": [
    ["Rebol", /\bRebol\b/i],
    [
      "Rez",
      /(?:#include[ \t]+["<](?:Types\.r|Carbon\/Carbon\.r)[">])|(?:(?:resource|data|type)[ \t]+'[A-Za-z0-9]{4}')/,
    ],
    ["R", /<-|^[ \t]*#|\bfunction[ \t]*\(/m],
  ],
  ".rs": [
    ["Rust", /^[ \t]*(?:use[ \t]|fn[ \t]|mod[ \t]|pub[ \t(]|macro_rules|impl\b|#!?\[|\/\/)/m],
    ["RenderScript", /#include|#pragma[ \t]+(?:rs|version)|__attribute__/],
    XML,
  ],
  ".s": [["Motorola 68K Assembly", /^[ \t]*(?:move|lea|jsr|bsr)(?:\.[bwlsa])?[ \t]+[^\n]*\b[ad][0-7]\b/im]],
  ".sc": [
    ["SuperCollider", /(?:\^(?:this|super)\.)|^[ \t]*[+~*]\w+[ \t]*(?:\{|=)|\bSynthDef\b/m],
    ["Scala", /^[ \t]*(?:import|package|class|object|trait|case class|def|val)[ \t]/m],
  ],
  ".sql": [
    ["PLpgSQL", /^\\i\b|\bAS[ \t]+\$\$|\bLANGUAGE[ \t]+'?plpgsql/im],
    ["SQLPL", /\b(?:alter module|modu?le|MODE DB2SQL)\b/i],
    [
      "PLSQL",
      /\$\$PLSQL_|\bXMLTYPE\b|systimestamp|\.nextval\b|CONNECT[ \t]+BY\b|AUTHID[ \t]+(?:DEFINER|CURRENT_USER)|constructor\W+function/i,
    ],
    [
      "TSQL",
      /^[ \t]*GO[ \t]*$|\bBEGIN[ \t]+(?:TRY|CATCH)\b|\bOUTPUT[ \t]+INSERTED\b|^[ \t]*DECLARE[ \t]+@|\[dbo\]/im,
    ],
  ],
  ".st": [
    ["StringTemplate", /\$\w+[($]|<\w+>|^delimiters[ \t]/m],
    ["Smalltalk", /^![\w ]*!|^[A-Z][\w ]*(?:subclass|extend):? |methodsFor:/m],
  ],
  ".t": [
    ["Perl", PERL[1]],
    RAKU,
    ["Turing", /^[ \t]*%[ \t]+|^[ \t]*var[ \t]+\w+[ \t]*:[ \t]*(?:int|string|real)/m],
  ],
  ".toc": [
    ["World of Warcraft Addon Data", /^## |^@no-lib-strip@/m],
    ["TeX", /^\\(?:contentsline|defcounter|beamer|boolfalse)/m],
  ],
  ".ts": [["XML", /^\uFEFF?[ \t\r\n]{0,100}<(?:\?xml|!DOCTYPE TS|TS\b)/]],
  ".tsx": [["XML", /^\uFEFF?[ \t\r\n]{0,100}<\?xml\b/]],
  ".txt": [["Vim Help File", /(?:^|[ \t])(?:vim|vi|ex)[ \t]*:[^\n]{0,100}\b(?:ft|filetype)=help\b/m]],
  ".v": [
    ["Rocq Prover", /^[ \t]*(?:Proof|Qed|Theorem|Lemma|Definition|Inductive|Require|Section|Fixpoint)\b/m],
    [
      "Verilog",
      /^[ \t]*(?:module|endmodule|`(?:define|ifdef|ifndef|include|timescale)|always|initial[ \t]+begin)\b|^[ \t]*`/m,
    ],
    ["V", /\$(?:if|else)[ \t]|^[ \t]*(?:fn[ \t]+[^\n]*\{|module[ \t]+\w+$|import[ \t]+\w)/m],
  ],
  ".w": [
    ["OpenEdge ABL", /^&ANALYZE-SUSPEND\b/m],
    ["CWeb", /^@(?:<|\w+\.)/m],
  ],
  ".x": [
    ["Logos", /^%(?:end|ctor|hook|group)\b/m],
    ["RPC", /\bprogram[ \t]+\w+[ \t]*\{|\b(?:typedef|struct|union)\b[^;]{0,80}\bversion\b/],
    ["DirectX 3D File", /^xof \d{4}/],
    ["Linker Script", /\bOUTPUT_ARCH\(|\bSECTIONS\b|\bMEMORY\b/],
  ],
  ".yy": [
    ["JSON", /^\s{0,100}\{/],
    ["Yacc", /^%[%{]/m],
  ],
};

/** github-linguist's `interpreters`, those in use; a version after the name does not count. */
const INTERPRETERS: Record<string, string> = {
  ash: "Shell",
  awk: "Awk",
  bash: "Shell",
  bun: "TypeScript",
  coffee: "CoffeeScript",
  crystal: "Crystal",
  csh: "Tcsh",
  dash: "Shell",
  deno: "TypeScript",
  elixir: "Elixir",
  escript: "Erlang",
  expect: "Tcl",
  fish: "fish",
  gawk: "Awk",
  gnuplot: "Gnuplot",
  groovy: "Groovy",
  guile: "Scheme",
  jq: "jq",
  julia: "Julia",
  ksh: "Shell",
  lua: "Lua",
  luajit: "Lua",
  make: "Makefile",
  mksh: "Shell",
  node: "JavaScript",
  nodejs: "JavaScript",
  nu: "Nushell",
  ocaml: "OCaml",
  osascript: "AppleScript",
  perl: "Perl",
  php: "PHP",
  pwsh: "PowerShell",
  pypy: "Python",
  python: "Python",
  racket: "Racket",
  raku: "Raku",
  rscript: "R",
  ruby: "Ruby",
  runhaskell: "Haskell",
  sbcl: "Common Lisp",
  scala: "Scala",
  sed: "sed",
  sh: "Shell",
  swift: "Swift",
  swipl: "Prolog",
  tclsh: "Tcl",
  tcsh: "Tcsh",
  "ts-node": "TypeScript",
  tsx: "TypeScript",
  uv: "Python",
  wish: "Tcl",
  zsh: "Shell",
};

/**
 * By what of its name a file's text is to be asked for its language: a shared extension, or "#!" where the name
 * tells nothing. Null where the name settles it.
 */
export function textHintOf(name: string, isKnown: boolean): string | null {
  const extension = name.slice(name.lastIndexOf(".")).toLowerCase();
  if (Object.hasOwn(RULES, extension)) return extension;
  return isKnown ? null : SHEBANG;
}

/** The language that a text tells for a hint of textHintOf, as linguist names it; null where it tells none. */
export function languageOfText(hint: string, text: string): string | null {
  const head = text.slice(0, HEAD_CHARACTERS);
  if (hint === SHEBANG) return languageOfScript(head);
  return RULES[hint]?.find(([, pattern]) => pattern.test(head))?.[0] ?? null;
}

/** `#!/usr/bin/env -S FOO=1 python3 -u`: the program that runs the script. */
function languageOfScript(text: string): string | null {
  const line = /^#![ \t]*([^\r\n]{1,200})/.exec(text)?.[1];
  if (!line) return null;
  const [command = "", ...words] = line.split(/[ \t]+/);
  const isEnv = command.endsWith("/env");
  const program = isEnv
    ? (words.find((word) => !word.startsWith("-") && !word.includes("=")) ?? "")
    : command;
  const name = program.slice(program.lastIndexOf("/") + 1).toLowerCase();
  for (const candidate of [name, name.replace(/[\d.]+$/, "").replace(/-$/, "")]) {
    if (Object.hasOwn(INTERPRETERS, candidate)) return INTERPRETERS[candidate] ?? null;
  }
  return null;
}
