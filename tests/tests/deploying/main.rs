//! `infra/deploy`, as far as no account and no compiler is needed: what it refuses, what it packs,
//! and what it asks of the AWS CLI, in whose place a script writes down how it was called.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const TEMPLATE: &str = include_str!("../../../infra/template.yaml");
const SCRIPT: &str = include_str!("../../../infra/deploy");
const DOCUMENT: &str = include_str!("../../../docs/deploy.md");

/// Answers like the AWS CLI in an account without a bucket, in which the bus is called `ours`.
const AWS: &str = r#"#!/bin/sh
echo "$*" >>"$(dirname "$0")/calls"
case "$1 $2" in
    "sts get-caller-identity") echo 123456789012 ;;
    "s3api head-bucket") echo "An error occurred (404): Not Found" >&2; exit 254 ;;
    "cloudformation describe-stacks") echo ours ;;
esac
"#;

/// The same without credentials.
const AWS_REFUSES: &str = "#!/bin/sh
echo 'Unable to locate credentials. You can configure credentials by running \"aws login\".' >&2
exit 253
";

/// The programs of the system that the script needs before it builds anything.
const SYSTEM: [&str; 9] = ["bash", "cat", "dirname", "env", "grep", "mkdir", "sed", "tail", "tr"];

/// A folder in place of `target`, with another for programs that the script is to find first.
struct Place {
    target: PathBuf,
    programs: PathBuf,
}

impl Place {
    fn new(name: &str) -> Place {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deploying").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("the folder of an earlier run is removed");
        }
        let place = Place { target: folder.join("target"), programs: folder.join("programs") };
        fs::create_dir_all(&place.target).expect("a folder is made");
        fs::create_dir_all(&place.programs).expect("a folder is made");
        place
    }

    /// What a build for arm64 leaves: a program for each function.
    fn built(&self) {
        for function in functions() {
            let folder = self.target.join("deploy/arm64").join(&function);
            fs::create_dir_all(&folder).expect("a folder is made");
            fs::write(folder.join("bootstrap"), &function).expect("a file is written");
        }
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.programs.join(name);
        fs::write(&path, text).expect("a program is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is a file");
    }

    /// Has only some of the programs of this machine.
    fn bare(&self) {
        for name in SYSTEM {
            let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output();
            let found = String::from_utf8(found.expect("sh runs").stdout).expect("it is a path");
            symlink(found.trim(), self.programs.join(name)).expect("a link is made");
        }
    }

    fn command(&self, path: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(root().join("infra/deploy"));
        command.args(arguments).env("PATH", path).env("CARGO_TARGET_DIR", &self.target);
        for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).output().expect("the script runs")
    }

    /// Runs the script where its own programs are found before those of this machine.
    fn run(&self, arguments: &[&str]) -> Output {
        #[expect(clippy::disallowed_methods, reason = "a script needs the programs around it")]
        let path = std::env::var("PATH").expect("there is a PATH");
        self.command(&format!("{}:{path}", self.programs.display()), arguments)
    }

    /// Runs the script where there are no programs but its own.
    fn run_alone(&self, arguments: &[&str]) -> Output {
        self.command(&self.programs.display().to_string(), arguments)
    }

    /// How the AWS CLI was called.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.programs.join("calls")).unwrap_or_default();
        calls.lines().map(str::to_string).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository")
}

fn functions() -> Vec<String> {
    let begin = "FunctionName: !Sub \"${AWS::StackName}-";
    let lines = TEMPLATE.lines();
    let names = lines.filter_map(|line| line.trim().strip_prefix(begin)?.strip_suffix('"'));
    names.map(str::to_string).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn its_help_names_every_option_that_it_takes() {
    let output = Place::new("help").run(&["--help"]);
    assert!(output.status.success(), "{}", said(&output));
    let help = String::from_utf8_lossy(&output.stdout);
    let options = SCRIPT.lines().filter_map(|line| {
        let (option, _) = line.trim().split_once(')')?;
        let mut forms = option.split(" | ");
        forms.find(|form| form.starts_with("--") && !form.contains(' '))
    });
    let options: Vec<&str> = options.collect();
    assert!(options.len() >= 7, "{options:?}");
    for option in options {
        assert!(help.contains(&format!("  {option} ")), "{option} is not in\n{help}");
    }
}

#[test]
fn a_mistake_is_refused_before_anything_is_done() {
    let place = Place::new("mistakes");
    place.program("aws", AWS);
    let at_seat = ["--region", "us-east-1"];
    let cases: [(&[&str], &str); 12] = [
        (&[], "which region is the seat in?"),
        (&["--region"], "--region needs a value"),
        (&["--region", "--yes"], "--region needs a value"),
        (&["--region", "Virginia"], "\"Virginia\" is not the name of a region"),
        (&["--regions", "eu-west-1,Ireland"], "\"Ireland\" is not the name of a region"),
        (&["--regions", "us-east-1"], "us-east-1 is the seat"),
        (&["--stack", "a_stack"], "--stack must begin with a letter"),
        (&["--force"], "there is no option --force"),
        (&["regions"], "what is \"regions\"?"),
        (&["AlowStopStart=true"], "infra/template.yaml has no parameter AlowStopStart"),
        (&["Architecture=amd64"], "Architecture must be arm64 or x86_64, not \"amd64\""),
        (&["build", "--no-build"], "build and --no-build exclude each other"),
    ];
    for (arguments, expected) in cases {
        let names_region = arguments.is_empty() || arguments[0] == "--region";
        let before: &[&str] = if names_region { &[] } else { &at_seat };
        let output = place.run(&[before, arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        let told = said(&output);
        assert!(told.contains(expected), "{arguments:?}: {told}");
        assert!(told.contains("infra/deploy --help"), "{arguments:?}: {told}");
    }
    assert_eq!(place.calls(), [""; 0]);
}

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let seat = ["--region", "us-east-1", "--yes"];
    let place = Place::new("no-aws");
    place.bare();
    let output = place.run_alone(&seat);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("the AWS CLI (aws) is not installed"), "{}", said(&output));
    assert!(said(&output).contains("https://aws.amazon.com/cli/"), "{}", said(&output));

    // `build` needs no AWS CLI, and here no compiler is found.
    let output = place.run_alone(&["build"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("the Rust compiler is not installed"), "{}", said(&output));
    assert!(said(&output).contains("https://rustup.rs"), "{}", said(&output));

    let place = Place::new("no-credentials");
    place.program("aws", AWS_REFUSES);
    let output = place.run(&seat);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("Unable to locate credentials"), "{}", said(&output));
    assert!(said(&output).contains("AWS_PROFILE"), "{}", said(&output));

    let place = Place::new("not-built");
    place.program("aws", AWS);
    let output = place.run(&[&seat[..], &["--no-build"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("bootstrap is not there"), "{}", said(&output));
    assert!(said(&output).contains("infra/deploy build Architecture=arm64"), "{}", said(&output));
}

#[test]
fn nothing_is_deployed_unless_it_is_agreed_to() {
    let place = Place::new("not-agreed");
    place.program("aws", AWS);
    place.built();
    let output = place.run(&["--no-build", "--region", "us-east-1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("add --yes"), "{}", said(&output));
    assert_eq!(place.calls().len(), 1, "{:?}", place.calls());
}

#[test]
fn the_seat_and_then_the_other_regions_are_deployed_with_what_was_asked_for() {
    let place = Place::new("deployed");
    place.program("aws", AWS);
    place.built();
    let boundary = "PermissionsBoundary=arn:aws:iam::123456789012:policy/boundary";
    let output = place.run(&[
        "--no-build",
        "--yes",
        "--region",
        "eu-west-1",
        "--regions",
        "us-east-1,eu-central-1",
        "AllowStopStart=true",
        boundary,
    ]);
    assert!(output.status.success(), "{}", said(&output));

    let packed = place.target.join("deploy/arm64");
    let bucket = "afterimage-code-123456789012-eu-west-1";
    let deployed = |region: &str, stack: &str, template: &str, rest: &str| {
        format!(
            "cloudformation deploy --region {region} --stack-name {stack} --template-file \
             {template} {rest}"
        )
    };
    let settings = "--capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
                    --parameter-overrides";
    let template = packed.join("template.yaml").display().to_string();
    let finished = packed.join("packaged.yaml").display().to_string();
    let at_seat = format!(
        "--s3-bucket {bucket} {settings} Architecture=arm64 AllowStopStart=true {boundary}"
    );
    let elsewhere = format!("{settings} SeatRegion=eu-west-1 BusName=ours {boundary}");
    let region = "infra/region.yaml";
    let expected = [
        "sts get-caller-identity --region eu-west-1 --query Account --output text".to_string(),
        format!(
            "s3api head-bucket --region eu-west-1 --bucket {bucket} --expected-bucket-owner \
             123456789012"
        ),
        format!(
            "s3api create-bucket --region eu-west-1 --bucket {bucket} \
             --create-bucket-configuration LocationConstraint=eu-west-1"
        ),
        format!(
            "cloudformation package --region eu-west-1 --template-file {template} --s3-bucket \
             {bucket} --output-template-file {finished}"
        ),
        deployed("eu-west-1", "afterimage", &finished, &at_seat),
        "cloudformation describe-stacks --region eu-west-1 --stack-name afterimage --output text \
         --query Stacks[0].Parameters[?ParameterKey=='BusName'].ParameterValue"
            .to_string(),
        deployed("us-east-1", "afterimage-region", region, &elsewhere),
        deployed("eu-central-1", "afterimage-region", region, &elsewhere),
    ];
    assert_eq!(place.calls(), expected);
}

#[test]
fn each_function_is_packed_as_lambda_wants_it_and_the_same_program_as_the_same_zip() {
    let place = Place::new("packed");
    place.program("aws", AWS);
    place.built();
    let seat = ["--no-build", "--yes", "--region", "us-east-1"];
    let packed = || {
        let output = place.run(&seat);
        assert!(output.status.success(), "{}", said(&output));
        let zip = |name: &String| place.target.join(format!("deploy/arm64/{name}.zip"));
        functions().iter().map(|name| fs::read(zip(name)).expect("it is packed")).collect()
    };
    let first: Vec<Vec<u8>> = packed();
    assert_eq!(first.len(), 7);
    let again: Vec<Vec<u8>> = packed();
    assert!(first == again);

    let template = fs::read_to_string(place.target.join("deploy/arm64/template.yaml"));
    let template = template.expect("a template is left");
    for name in functions() {
        let zip = place.target.join(format!("deploy/arm64/{name}.zip"));
        let uri = format!("CodeUri: {}\n", zip.display());
        assert!(template.contains(&uri), "no {uri}");
        let listed = "import sys, zipfile
for it in zipfile.ZipFile(sys.argv[1]).infolist():
    print(it.filename, oct(it.external_attr >> 16), it.file_size)";
        let listed = Command::new("python3").args(["-c", listed]).arg(&zip).output();
        let listed = String::from_utf8(listed.expect("python3 runs").stdout).expect("it is text");
        assert_eq!(listed, format!("bootstrap 0o100755 {}\n", name.len()));
    }
}

#[test]
fn the_document_names_the_version_that_the_script_installs() {
    let pin = |name: &str| {
        let line = SCRIPT.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.expect("the script pins it").to_string()
    };
    let asked = format!("pip install cargo-lambda=={}", pin("CARGO_LAMBDA"));
    assert!(DOCUMENT.contains(&asked), "docs/deploy.md does not say {asked}");
    assert!(!pin("ZIGLANG").is_empty());
}
