import { describe, expect, test } from "vitest";
import { classifyBlob } from "../../src/scan/classify.ts";
import { decodeLegacy } from "../../src/scan/encoding.ts";
import { encodeLegacy } from "../support/encode.ts";

const TEXTS: Record<string, string[]> = {
  "euc-kr": [
    "// 설정 파일을 읽는다\n",
    "/* 한글 주석 */",
    'printf("안녕하세요\\n");',
    "이 프로그램은 자유 소프트웨어입니다. 소프트웨어의 피양도자는 자유 소프트웨어 재단이 공표한 것을 따라야 합니다.\n",
    "# 오류: 데이터베이스에 연결할 수 없습니다\nfunction 가나다() { return '끝'; }\n",
  ],
  shift_jis: [
    "// 設定ファイルを読み込みます\n",
    "/* これはコメントです */",
    'echo "こんにちは、世界"\n',
    "このプログラムはフリーソフトウェアです。あなたはこれを再配布および改変することができます。\n",
    "エラー：データベースに接続できません\n",
  ],
  gb18030: [
    "// 读取配置文件\n",
    "/* 这是一个注释 */",
    'System.out.println("你好，世界");',
    "本程序是自由软件：你可以再分发之和或依照由自由软件基金会发布的许可证修改之，无论是第三版还是以后的任何版本。\n",
    "错误：无法连接到数据库，请检查网络设置。\n",
  ],
  "windows-1252": [
    "café\n",
    "# Größe der Schlüssel übergeben, für alle Fälle\n",
    "/* Copyright © 2004 José García, María Núñez */\n",
    "L'été dernier, nous étions déjà là où les élèves préfèrent naître.\n",
    "Användaren får inte välja sökväg själv.\n",
    "“Smart quotes” – and a dash…\n",
    "10 µm ± 2 °C\n",
  ],
};

describe("decodeLegacy", () => {
  test.each(Object.entries(TEXTS).flatMap(([encoding, texts]) => texts.map((text) => ({ encoding, text }))))(
    "reads $encoding: $text",
    ({ encoding, text }) => {
      expect(decodeLegacy(encodeLegacy(text, encoding))).toEqual({ encoding, text });
    },
  );

  test("reads a text whose only hint stands beyond what it samples", () => {
    const text = `${"x".repeat(100_000)}\nété\n`;

    expect(decodeLegacy(Buffer.from(text, "latin1"))).toEqual({ encoding: "windows-1252", text });
  });

  test.each([
    [
      "random bytes",
      Buffer.from(Array.from({ length: 4_000 }, (_, i) => 1 + ((i * 7919 + (i >> 3) * 104_729) % 255))),
    ],
    [
      "compressed bytes without a NUL",
      Buffer.from("1f8b08ffaac3d4e5f1928374a5b6c7d8e9fa8b9cadbecfd0e1f2", "hex"),
    ],
    ["UTF-8 that was cut within a character", Buffer.from("한글 텍스트입니다").subarray(0, -1)],
  ])("calls %s nobody's text", (_, content) => {
    expect(decodeLegacy(content)).toBeNull();
  });
});

test("a blob in a legacy encoding is indexed, and its encoding known", () => {
  const content = encodeLegacy("// 설정 파일을 읽는다\n", "euc-kr");

  expect(classifyBlob(content)).toEqual({
    state: "indexed",
    encoding: "euc-kr",
    text: "// 설정 파일을 읽는다\n",
  });
});
