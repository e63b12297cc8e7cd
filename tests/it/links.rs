//! The links of the documentation: each relative link has a file and, if it names one, a heading. Each page
//! of `docs/` is in the table of contents. This test needs no tool but git.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The files of the repository.
#[derive(Default)]
struct Tree {
    /// The paths of all files and folders, from the root.
    paths: BTreeSet<String>,
    /// The text of each Markdown file.
    pages: BTreeMap<String, String>,
}

impl Tree {
    /// Lists the files that git tracks, and the untracked files that it does not ignore.
    fn of_repository() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&root)
            .output()
            .expect("git starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut tree = Self::default();
        for path in String::from_utf8(output.stdout).expect("UTF-8").split_terminator('\0') {
            // git also lists deleted files until the deletion is committed.
            if root.join(path).exists() {
                let read = || fs::read_to_string(root.join(path)).expect("the page can be read");
                tree.add(path, Path::new(path).extension().is_some_and(|end| end == "md").then(read));
            }
        }
        tree
    }

    fn add(&mut self, path: &str, text: Option<String>) {
        self.paths.extend(path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
        self.paths.insert(path.to_owned());
        if let Some(text) = text {
            self.pages.insert(path.to_owned(), text);
        }
    }

    /// Returns the broken links of all pages, each with the reason.
    fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for (page, text) in &self.pages {
            for link in links(text) {
                if let Err(why) = self.follow(page, &link) {
                    broken.push(format!("{page}: {link}: {why}"));
                }
            }
        }
        broken
    }

    fn follow(&self, page: &str, link: &str) -> Result<(), &'static str> {
        if link.contains("://") || link.starts_with("mailto:") {
            return Ok(());
        }
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let path = if path.is_empty() {
            page.to_owned()
        } else {
            resolve(page, path).ok_or("leaves the repository")?
        };
        if !self.paths.contains(&path) && !path.is_empty() {
            return Err("no such file");
        }
        match self.pages.get(&path) {
            Some(text) if !anchor.is_empty() && !anchors(text).contains(anchor) => Err("no such heading"),
            _ => Ok(()),
        }
    }

    /// Returns the pages of `docs/` that the table of contents does not list.
    fn unlisted(&self) -> Vec<&str> {
        const CONTENTS: &str = "docs/SUMMARY.md";
        let listed: BTreeSet<_> =
            links(&self.pages[CONTENTS]).iter().filter_map(|link| resolve(CONTENTS, link)).collect();
        let pages = self.pages.keys().filter(|page| page.starts_with("docs/") && *page != CONTENTS);
        pages.filter(|page| !listed.contains(*page)).map(String::as_str).collect()
    }
}

/// Resolves a relative path of a page. Returns `None` if it leaves the repository.
fn resolve(page: &str, path: &str) -> Option<String> {
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns the targets of all links: `[…](…)`, `[…]: …`, `href="…"`, `src="…"`, and includes of mdBook.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        for start in ["](", "href=\"", "src=\""] {
            let ends: &[char] = if start == "](" { &[')', ' '] } else { &['"'] };
            let found = line.split(start).skip(1).filter_map(|rest| rest.split(ends).next());
            links.extend(found.map(|link| link.trim_matches(['<', '>']).to_owned()));
        }
        if let Some((_, link)) = line.split_once("]: ").filter(|(name, _)| name.starts_with('[')) {
            links.extend(link.split_whitespace().next().map(str::to_owned));
        }
        let included = line.split("{{#include ").skip(1).filter_map(|rest| rest.split([':', '}']).next());
        links.extend(included.map(|path| path.trim().to_owned()));
    }
    links
}

/// Returns the anchors of all headings, as GitHub and mdBook derive them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        let depth = line.len() - title.len();
        if fenced || depth == 0 || depth > 6 || !title.starts_with(' ') {
            continue;
        }
        let keep = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
        let name: String = without_targets(title.trim()).to_lowercase().chars().filter(keep).collect();
        let name = name.replace(' ', "-");
        let mut unique = name.clone();
        for number in 1.. {
            if anchors.insert(unique) {
                break;
            }
            unique = format!("{name}-{number}");
        }
    }
    anchors
}

/// Removes the targets of links from a title.
fn without_targets(title: &str) -> String {
    let mut parts = title.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or(part, |(_, rest)| rest))
}

/// Returns the lines of a page without code.
fn prose(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if !fenced && !fence && !line.starts_with("    ") {
            // Code stands between an odd and an even backtick. Code spans over two lines are not recognized.
            lines.push(line.split('`').step_by(2).collect::<Vec<_>>().join("`"));
        }
    }
    lines
}

#[test]
fn relative_links_are_valid() {
    let tree = Tree::of_repository();
    assert!(tree.pages.len() > 10 && tree.pages.contains_key("README.md"), "pages are missing");
    let broken = tree.broken();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn all_pages_are_in_the_table_of_contents() {
    let tree = Tree::of_repository();
    assert!(tree.unlisted().is_empty(), "docs/SUMMARY.md does not list {:?}", tree.unlisted());
}

#[test]
fn broken_links_are_found() {
    let mut tree = Tree::default();
    tree.add("src/main.rs", None);
    tree.add("docs/SUMMARY.md", Some("- [One](one.md)".to_owned()));
    tree.add("docs/one.md", Some("# One `page`: *the* first\n## Twice\n## Twice".to_owned()));
    tree.add("docs/forgotten.md", Some(String::new()));
    assert!(tree.broken().is_empty());
    assert_eq!(tree.unlisted(), ["docs/forgotten.md"]);

    let page = "[a](docs/one.md#one-page-the-first) [b](docs/one.md#twice-1) [c](src/) \
                [d](https://example.org/x)\n\
                [e](docs/two.md) [f](docs/one.md#twice-2) <img src=\"docs/one.png\"> [g](../x) [h](#here)\n\
                `[i](code.md)`\n```\n[j](code.md)\n```\n[k]: docs/three.md\n{{#include docs/four.md:3:}}\n";
    tree.add("README.md", Some(page.to_owned()));
    let broken: Vec<_> = tree.broken().iter().map(|line| line.replace("README.md: ", "")).collect();
    assert_eq!(
        broken,
        [
            "docs/two.md: no such file",
            "docs/one.md#twice-2: no such heading",
            "../x: leaves the repository",
            "#here: no such heading",
            "docs/one.png: no such file",
            "docs/three.md: no such file",
            "docs/four.md: no such file",
        ]
    );
}
