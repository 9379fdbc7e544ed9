//! Bash with the script of `answerd completions bash`, against a running service.

use std::path::Path;
use std::process::Command;

use crate::child::{Served, command, store_directory};

/// What bash offers for a line whose last word is being typed.
fn offered(words: &[&str], url: &str) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let typed = format!(
        "source <(answerd completions bash)\nCOMP_WORDS=(answerd {}); COMP_CWORD={}\n\
         function=$(complete -p answerd | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n\
         \"$function\" answerd '{}' '{}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words.len(),
        words.last().unwrap(),
        words.iter().rev().nth(1).unwrap_or(&"answerd"),
    );
    let program = Path::new(env!("CARGO_BIN_EXE_answerd")).parent().unwrap().to_owned();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &typed]).env("PATH", path).env("ANSWERD_URL", url);
    let output = bash.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(err, "", "{words:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    out.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_scrapers_ids_and_labels_of_the_running_service() {
    let (_directory, store) = store_directory();
    let served = Served::start(&store, &[]);
    let submitted = |label: &str| {
        let path = format!("/scrapers/practice/jobs?prompt=What+is+it%3F&label={label}");
        let (_, job) = served.post(&path).unwrap();
        job["job_id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (submitted("nightly"), submitted("two+words"));
    let typed = |words: &[&str]| offered(words, &served.base);
    assert_eq!(typed(&["submit", "prac"]), ["practice"]);
    assert!(typed(&["submit", ""]).contains(&"chatgpt".to_owned()));
    let mut ids = vec![first.clone(), second];
    ids.sort();
    assert_eq!(typed(&["get", ""]), ids);
    assert!(typed(&["get", &first[..8]]).contains(&first));
    assert_eq!(typed(&["list", "--label", "ni"]), ["nightly"]);
    // Quoted for the shell.
    assert_eq!(typed(&["list", "-l", "tw"]), ["two\\ words"]);
    // Commands and options stay what they were.
    assert_eq!(typed(&["submi"]), ["submit"]);
    assert!(typed(&["list", "--lab"]).contains(&"--label".to_owned()));

    // Without a server, what the script knows is left, and nothing is said.
    let mut complete = command(&store);
    let silent = complete
        .args(["complete", "--", "submit", "prac"])
        .env("ANSWERD_URL", "http://127.0.0.1:1")
        .output()
        .unwrap();
    assert_eq!((silent.status.code(), silent.stdout.len(), silent.stderr.len()), (Some(0), 0, 0));
}
