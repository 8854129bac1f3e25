/** A query, and the same for tools that know nothing of ours; null where they cannot say it. */
export interface BenchQuery {
  query: string;
  /** What it is about: "words" are ranked. */
  kind: "literal" | "regex" | "filtered" | "words";
  peer: { pattern: string; isRegex: boolean; caseSensitive: boolean } | null;
}

function literal(text: string, { caseSensitive = false } = {}): BenchQuery {
  const quoted = `"${text.replace(/["\\]/g, "\\$&")}"`;
  const query = caseSensitive ? `${quoted} case:yes` : quoted;
  return { query, kind: "literal", peer: { pattern: text, isRegex: false, caseSensitive } };
}

function regex(source: string): BenchQuery {
  const peer = { pattern: source, isRegex: true, caseSensitive: false };
  return { query: `/${source.replaceAll("/", "\\/")}/`, kind: "regex", peer };
}

const LITERALS = [
  // rare
  "usb_hub_cleanup",
  "btrfs_free_space_bitmap",
  "amdgpu_dm_audio_component_bind",
  "skb_copy_ubufs",
  "nowhere_to_be_found_at_all",
  "createWorkflowTemplate",
  "PostgresDialect",
  "fsverity_ioctl_enable",
  "elf_x86_64_relocate_section",
  "TypeDocVisitor",
  // common
  "EXPORT_SYMBOL_GPL",
  "spin_lock_irqsave",
  "kmalloc_array",
  "copy_from_user",
  "MODULE_LICENSE",
  "netdev_priv",
  "platform_get_resource",
  "container_of",
  "err = -ENOMEM;",
  "unsigned long flags",
  "gas_assert",
  "ratelimit",
  // with punctuation
  "return -EINVAL;",
  "for (i = 0; i < ",
  "->private_data = ",
  "struct file_operations *",
  "if (!skb)",
  "#include <linux/module.h>",
  "goto out_unlock;",
  "(void __user *)",
  "&dev->lock);",
  "Object.defineProperty(exports, ",
  "_bfd_error_handler (",
  "struct bfd_link_info *",
  "schedule_work(&",
  "0x80000000",
  // other scripts
  "Müller",
  "한국",
  "Україна",
];

const CASED = ["KERN_ERR", "GFP_ATOMIC", "TODO", "IRQ_HANDLED", "promise", "dev_err"];

const REGEXES = [
  "static\\s+inline\\s+int\\s+skb_",
  "mutex_(lock|unlock)\\(&dev->",
  "(kzalloc|kcalloc)\\(sizeof",
  "^#define AMDGPU_[A-Z]+_H",
  "dev_(err|warn|info)\\(.*failed to (get|set)",
  "usb_(get|put)_dev\\(",
  "return .*PTR_ERR\\(",
  "__attribute__\\(\\(packed\\)\\)",
  "export (async )?function create[A-Z]",
  "module\\.exports = \\{",
];

const FILTERED = [
  '"netdev_alloc_skb" path:ethernet',
  '"spin_lock" path:*.h',
  '"return" repo:linux-fs-btrfs',
  '"probe" path:drivers lang:c repo:linux-drivers-usb',
  '"int" path:ext4.h',
  '"async" lang:typescript',
  '"main" path:tools repo:linux-tools-perf',
  '"mutex_lock" -path:*.c',
];

const WORDS = [
  "scheduler",
  "usb disconnect",
  "kmalloc",
  "btrfs inode",
  "createServer",
  "probe",
  "network driver",
  "mutex",
  "parse options",
  "checksum",
  "timer callback",
  "promise resolve",
  "return",
  "error",
  "crypto hash update",
  "device tree",
  "readme",
  "license",
  "page fault handler",
  "encode base64",
];

/** Queries that have a literal, of all kinds. */
export const BENCH_QUERIES: BenchQuery[] = [
  ...LITERALS.map((text) => literal(text)),
  ...CASED.map((text) => literal(text, { caseSensitive: true })),
  ...REGEXES.map(regex),
  ...FILTERED.map((query): BenchQuery => ({ query, kind: "filtered", peer: null })),
  ...WORDS.map((query): BenchQuery => ({ query, kind: "words", peer: null })),
];
