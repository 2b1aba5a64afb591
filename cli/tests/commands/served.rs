//! A served cloud with Afterimage in it, a person at a terminal, and an administrator of EC2.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use afterimage::system;
use afterimage_aws::Ledger;
use afterimage_cloud::Config;
use afterimage_cloud::door::port::{Options, Server, World};
use afterimage_core::flow::InForce;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};

pub struct Served {
    place: Place,
    url: String,
}

/// The place where a cloud is served.
enum Place {
    Process(Child),
    /// This process, so that the model can be looked at.
    Here(Server),
}

impl Served {
    /// Starts a cloud in this process, with Afterimage in it.
    pub fn start_here() -> Served {
        let listen = ([127, 0, 0, 1], 0).into();
        let options = Options { listen, speed: 0, config: Config::seeded(1) };
        let server = Server::start(options).expect("a free port can be had");
        let url = server.url();
        let served = Served { place: Place::Here(server), url };
        let deployed = afterimage::stack::block_on(async {
            let deploy = |cloud: &_| system::deploy(cloud, &system::Options::default());
            Ok(served.world().act(deploy).await.expect("the world goes on"))
        });
        deployed.expect("nothing fails").expect("the templates are right");
        served
    }

    /// The world of a cloud in this process.
    pub fn world(&self) -> &World {
        match &self.place {
            Place::Here(server) => server.world(),
            Place::Process(_) => panic!("it is in a process of its own"),
        }
    }

    /// Starts a served cloud. Its clock stands at the beginning of 2026.
    pub fn start() -> Served {
        Served::start_with(&[])
    }

    /// The same with more options.
    pub fn start_with(options: &[&str]) -> Served {
        let mut child = Command::new(env!("CARGO_BIN_EXE_afterimage"))
            .args(["cloud", "--system", "--listen", "127.0.0.1:0", "--speed", "0"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it prints a line");
        let url = line.trim_end().strip_prefix("ready ").expect(&line).to_string();
        Served { place: Place::Process(child), url }
    }

    /// Runs a command with nothing on its standard input.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "")
    }

    /// Runs a command in an environment that names this cloud and nothing else.
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Output {
        run(&[("AWS_ENDPOINT_URL", &self.url)], arguments, stdin)
    }

    /// Runs a command as the holder of an access key.
    pub fn run_as(&self, key: &str, arguments: &[&str], stdin: &str) -> Output {
        let variables = [("AWS_ENDPOINT_URL", self.url.as_str()), ("AWS_ACCESS_KEY_ID", key)];
        run(&variables, arguments, stdin)
    }

    /// Runs a command that succeeds, and returns what it prints.
    pub fn says(&self, arguments: &[&str], stdin: &str) -> String {
        let output = self.run_with(arguments, stdin);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Reads what is in force from the ledger.
    pub fn in_force(&self) -> InForce {
        let config = afterimage::stack::cloud_config(&self.url, "us-east-1");
        let ledger = Ledger::new(&config, "afterimage", "test");
        let read = afterimage::stack::block_on(async {
            ledger.in_force().await.map_err(|error| afterimage::Failure::Ours(error.to_string()))
        });
        read.expect("the ledger can be read")
    }

    /// Deletes every item of the ledger's table.
    pub fn lose_the_table(&self) {
        let client =
            aws_sdk_dynamodb::Client::new(&afterimage::stack::cloud_config(&self.url, "us-east-1"));
        let done = afterimage::stack::block_on(async {
            let scan = client.scan().table_name("afterimage").projection_expression("pk, sk");
            let scanned = scan.send().await.expect("it is scanned");
            for item in scanned.items() {
                let delete = client.delete_item().table_name("afterimage");
                let delete = delete.set_key(Some(item.clone()));
                delete.send().await.expect("it is deleted");
            }
            Ok(())
        });
        done.expect("it is lost");
    }

    /// Makes a table with the items that the ledger has now, as a restore into a new table does.
    pub fn restore_into(&self, table: &str) {
        let client =
            aws_sdk_dynamodb::Client::new(&afterimage::stack::cloud_config(&self.url, "us-east-1"));
        let attribute = |name: &str| {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            attribute.attribute_type(ScalarAttributeType::S).build().expect("it has a name")
        };
        let key = |name: &str, kind| {
            let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
            key.build().expect("it has a name")
        };
        let made = client
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute("pk"))
            .attribute_definitions(attribute("sk"))
            .key_schema(key("pk", KeyType::Hash))
            .key_schema(key("sk", KeyType::Range));
        let done = afterimage::stack::block_on(async {
            made.send().await.expect("a table is made");
            self.pass(60);
            let scanned = client.scan().table_name("afterimage").send().await;
            for item in scanned.expect("it is scanned").items() {
                let put = client.put_item().table_name(table).set_item(Some(item.clone()));
                put.send().await.expect("an item is put");
            }
            Ok(())
        });
        done.expect("it is restored");
    }

    /// Moves the clock forward.
    pub fn pass(&self, seconds: u32) {
        let body = format!("{{\"advance_seconds\": {seconds}}}");
        let answer = self.request("POST /_cloud/clock", "", &body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Lets the next calls of an action take effect and answers them with an error.
    pub fn lose_answers(&self, action: &str, times: u32) {
        let fail = "{\"when\": \"after\", \"status\": 500, \"code\": \"InternalServerError\"}";
        let rule = format!("{{\"action\": \"{action}\", \"times\": {times}, \"fail\": {fail}}}");
        let rules = format!("{{\"rules\": [{rule}]}}");
        let answer = self.request("PUT /_cloud/faults", "", &rules);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Launches a machine from an image of this name, in us-east-1.
    pub fn machine(&self, image: &str, name: &str, backup: &str) -> String {
        let images = format!(
            "Action=DescribeImages&Owner.1=amazon&Filter.1.Name=name&Filter.1.Value.1={image}"
        );
        let image = first(&self.ec2(&images), "imageId");
        let tag = |n: u32, key: &str, value: &str| {
            let tag = format!("&TagSpecification.1.Tag.{n}");
            format!("{tag}.Key={key}{tag}.Value={value}")
        };
        let machine = self.ec2(&format!(
            "Action=RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1\
             &TagSpecification.1.ResourceType=instance{}{}",
            tag(1, "Name", name),
            tag(2, "backup", backup)
        ));
        first(&machine, "instanceId")
    }

    /// Stops a machine. The stop takes a while.
    pub fn stop(&self, machine: &str) {
        self.ec2(&format!("Action=StopInstances&InstanceId.1={machine}"));
    }

    /// Starts a machine that is stopped.
    pub fn power_on(&self, machine: &str) {
        self.ec2(&format!("Action=StartInstances&InstanceId.1={machine}"));
    }

    pub fn protect_from_stopping(&self, machine: &str) {
        let form = format!("Action=ModifyInstanceAttribute&InstanceId={machine}");
        self.ec2(&format!("{form}&DisableApiStop.Value=true"));
    }

    pub fn terminate(&self, machine: &str) {
        self.ec2(&format!("Action=TerminateInstances&InstanceId.1={machine}"));
    }

    /// Deletes an image with its snapshots, as somebody else would.
    pub fn delete_image(&self, image: &str) {
        let form = format!("Action=DeregisterImage&ImageId={image}");
        self.ec2(&format!("{form}&DeleteAssociatedSnapshots=true"));
    }

    /// Deletes an image of a region with its snapshots.
    pub fn delete_in(&self, region: &str, image: &str) {
        let form = format!("Action=DeregisterImage&ImageId={image}");
        self.ec2_in(region, &format!("{form}&DeleteAssociatedSnapshots=true"));
    }

    /// Deletes the image with such a name, and its snapshot. The function that is returned restores
    /// both from the Recycle Bin.
    pub fn delete_for_now(&self, region: &'static str, name: &str) -> impl Fn(&Served) + use<> {
        let filter = format!("Filter.1.Name=name&Filter.1.Value.1={name}");
        let seen = self.ec2_in(region, &format!("Action=DescribeImages&Owner.1=self&{filter}"));
        let (image, snapshot) = (first(&seen, "imageId"), first(&seen, "snapshotId"));
        self.delete_in(region, &image);
        move |served: &Served| {
            let of_snapshot = format!("RestoreSnapshotFromRecycleBin&SnapshotId={snapshot}");
            served.ec2_in(region, &format!("Action={of_snapshot}"));
            let of_image = format!("RestoreImageFromRecycleBin&ImageId={image}");
            served.ec2_in(region, &format!("Action={of_image}"));
        }
    }

    /// Deletes an image and leaves its snapshots.
    pub fn deregister(&self, image: &str) {
        self.ec2(&format!("Action=DeregisterImage&ImageId={image}"));
    }

    /// Tells whether the account has snapshots.
    pub fn has_snapshots(&self) -> bool {
        self.ec2("Action=DescribeSnapshots&Owner.1=self").contains("<snapshotId>")
    }

    /// The image of the account with such a name, if there is one.
    pub fn image_named(&self, name: &str) -> Option<String> {
        self.image_named_in("us-east-1", name)
    }

    /// The image of the account in a region with such a name, if there is one.
    pub fn image_named_in(&self, region: &str, name: &str) -> Option<String> {
        let filter = format!("Filter.1.Name=name&Filter.1.Value.1={name}");
        let answer = self.ec2_in(region, &format!("Action=DescribeImages&Owner.1=self&{filter}"));
        answer.contains("<imageId>").then(|| first(&answer, "imageId"))
    }

    /// Tells whether the account has images in a region.
    pub fn has_images_in(&self, region: &str) -> bool {
        self.ec2_in(region, "Action=DescribeImages&Owner.1=self").contains("<imageId>")
    }

    /// Lets EC2 give no answer in a region.
    pub fn darken(&self, region: &str) {
        let time_out = "\"time_out\": \"before\"";
        self.fault(&format!("{{\"service\": \"ec2\", \"region\": \"{region}\", {time_out}}}"));
    }

    /// Lets the functions be refused an action.
    pub fn refuse(&self, action: &str) {
        self.fail_with(action, "AccessDeniedException");
    }

    /// Lets every try of an action fail, for a reason that is not known to last.
    pub fn fail(&self, action: &str) {
        self.fail_with(action, "InvalidRequest");
    }

    /// Lets EC2 answer everywhere again.
    pub fn lighten(&self) {
        self.fault("");
    }

    fn fail_with(&self, action: &str, code: &str) {
        let fail = format!("{{\"when\": \"before\", \"status\": 400, \"code\": \"{code}\"}}");
        self.fault(&format!("{{\"action\": \"{action}\", \"fail\": {fail}}}"));
    }

    /// Has this rule of faults, or none, from now on.
    fn fault(&self, rule: &str) {
        let answer = self.request("PUT /_cloud/faults", "", &format!("{{\"rules\": [{rule}]}}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Deletes the first image of the account in a region, with its snapshots.
    pub fn delete_image_in(&self, region: &str) {
        let image = first(&self.ec2_in(region, "Action=DescribeImages&Owner.1=self"), "imageId");
        let form = format!("Action=DeregisterImage&ImageId={image}");
        self.ec2_in(region, &format!("{form}&DeleteAssociatedSnapshots=true"));
    }

    /// Disables the first image of the account in a region, and returns it.
    pub fn disable_image_in(&self, region: &str) -> String {
        let image = first(&self.ec2_in(region, "Action=DescribeImages&Owner.1=self"), "imageId");
        self.ec2_in(region, &format!("Action=DisableImage&ImageId={image}"));
        image
    }

    pub fn enable_image_in(&self, region: &str, image: &str) {
        self.ec2_in(region, &format!("Action=EnableImage&ImageId={image}"));
    }

    /// Makes a key under an alias, and returns its id.
    pub fn make_key(&self, region: &str, alias: &str) -> String {
        let made = self.kms(region, "CreateKey", "{}");
        let id = made.split("\"KeyId\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let id = id.unwrap_or_else(|| panic!("no key in {made}")).to_string();
        let body = format!("{{\"AliasName\": \"{alias}\", \"TargetKeyId\": \"{id}\"}}");
        self.kms(region, "CreateAlias", &body);
        id
    }

    pub fn disable_key(&self, region: &str, id: &str) {
        self.kms(region, "DisableKey", &format!("{{\"KeyId\": \"{id}\"}}"));
    }

    pub fn enable_key(&self, region: &str, id: &str) {
        self.kms(region, "EnableKey", &format!("{{\"KeyId\": \"{id}\"}}"));
    }

    fn kms(&self, region: &str, action: &str, body: &str) -> String {
        let headers = format!(
            "Authorization: AWS4-HMAC-SHA256 \
             Credential=any/20260101/{region}/kms/aws4_request, SignedHeaders=host, \
             Signature=0\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: \
             TrentService.{action}\r\n"
        );
        let answer = self.request("POST /", &headers, body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{action}: {answer}");
        answer
    }

    /// Calls DynamoDB as an administrator, and returns the whole answer.
    pub fn dynamodb(&self, action: &str, body: &str) -> String {
        let headers = format!(
            "Authorization: AWS4-HMAC-SHA256 \
             Credential=any/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, \
             Signature=0\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: \
             DynamoDB_20120810.{action}\r\n"
        );
        let answer = self.request("POST /", &headers, body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{action}: {answer}");
        answer
    }

    fn ec2(&self, form: &str) -> String {
        self.ec2_in("us-east-1", form)
    }

    fn ec2_in(&self, region: &str, form: &str) -> String {
        let signed = format!(
            "Authorization: AWS4-HMAC-SHA256 \
             Credential=any/20260101/{region}/ec2/aws4_request, SignedHeaders=host, \
             Signature=0\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        );
        let answer = self.request("POST /", &signed, &format!("{form}&Version=2016-11-15"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{form}: {answer}");
        answer
    }

    fn request(&self, line: &str, headers: &str, body: &str) -> String {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("it listens");
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in text");
        answer
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Place::Process(child) = &mut self.place {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Runs a command with credentials and a region, unless these variables say otherwise: one that is
/// empty is not set.
pub fn run(variables: &[(&str, &str)], arguments: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterimage"));
    command
        .args(arguments)
        .env_clear()
        .env("AWS_CONFIG_FILE", "no-such-file")
        .env("AWS_SHARED_CREDENTIALS_FILE", "no-such-file")
        .env("AWS_ACCESS_KEY_ID", "any")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .env("AWS_REGION", "us-east-1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in variables {
        if value.is_empty() {
            command.env_remove(name)
        } else {
            command.env(name, value)
        };
    }
    let mut child = command.spawn().expect("the command starts");
    let mut input = child.stdin.take().expect("stdin is piped");
    // A command that reads nothing has closed it by now.
    input.write_all(stdin.as_bytes()).ok();
    drop(input);
    child.wait_with_output().expect("it ends")
}

/// A policy whose points are asked for, with a copy in Ireland.
pub const ASKED_FOR: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    replicate: [{region: eu-west-1}]
";

/// Joins the words of a text with single spaces, wherever its lines were broken.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Everything that a command prints, on one line.
pub fn said(output: &Output) -> String {
    squeezed(&format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it writes text")
}

/// Finds the text of the first element of this name.
fn first(xml: &str, element: &str) -> String {
    let after = xml.split(&format!("<{element}>")).nth(1);
    let value = after.and_then(|rest| rest.split('<').next());
    value.unwrap_or_else(|| panic!("no {element} in {xml}")).to_string()
}
