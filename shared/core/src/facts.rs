//! Facts of EC2 that are compared, as types. Each is parsed where an answer of EC2 comes in, and
//! written in records and calls as EC2 writes it. A word that is new to us is kept as it is.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// Any other word, as EC2 writes it.
            Other(String),
        }

        impl $name {
            /// The words that are known.
            pub const WORDS: &'static [&'static str] = &[$($text,)+];

            /// The word that EC2 uses.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $text,)+
                    $name::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                match text {
                    $($text => $name::$variant,)+
                    other => $name::Other(other.to_string()),
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> $name {
                $name::from(text.as_str())
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> String {
                match word {
                    $name::Other(text) => text,
                    known => known.as_str().to_string(),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Processor architecture.
    Architecture {
        I386 = "i386",
        X86 = "x86_64",
        X86Mac = "x86_64_mac",
        Arm = "arm64",
        ArmMac = "arm64_mac",
    }
}

words! {
    /// Kind of virtualization.
    Virtualization {
        Hvm = "hvm",
        Paravirtual = "paravirtual",
    }
}

words! {
    /// Kind of the root device.
    RootDeviceType {
        Ebs = "ebs",
        InstanceStore = "instance-store",
    }
}

words! {
    /// Boot mode of a machine or an image.
    BootMode {
        LegacyBios = "legacy-bios",
        Uefi = "uefi",
        UefiPreferred = "uefi-preferred",
    }
}

words! {
    /// Version of the TPM.
    TpmSupport {
        V2 = "v2.0",
    }
}

words! {
    /// Version of the instance metadata service that an image insists on.
    ImdsSupport {
        V2 = "v2.0",
    }
}

words! {
    /// Enhanced networking of the older kind.
    SriovSupport {
        Simple = "simple",
    }
}

words! {
    /// Type of an EBS volume.
    VolumeType {
        Standard = "standard",
        Gp2 = "gp2",
        Gp3 = "gp3",
        Io1 = "io1",
        Io2 = "io2",
        Sc1 = "sc1",
        St1 = "st1",
    }
}

words! {
    /// Billing code of what is charged beside the machine itself.
    #[derive(Default)]
    UsageOperation {
        /// EC2 does not tell.
        #[default]
        Unknown = "",
        /// Nothing is charged.
        RunInstances = "RunInstances",
    }
}

words! {
    /// Name of what is billed.
    Platform {
        Linux = "Linux/UNIX",
        Windows = "Windows",
    }
}

/// Reason why a machine is in the state that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateReason {
    pub cause: StateCause,
    code: String,
}

/// Origin of the state that a machine is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateCause {
    /// A call stopped it.
    Call,
    /// A call put it to sleep, with its memory on its disk.
    Hibernation,
    /// Its own operating system shut it down.
    Shutdown,
    /// Anything else: EC2, for want of something without which the machine does not run.
    Ec2,
}

impl StateReason {
    /// The code of EC2.
    pub fn as_str(&self) -> &str {
        &self.code
    }

    /// Tells whether somebody stopped the machine, from outside or from within.
    pub fn is_by_somebody(&self) -> bool {
        match self.cause {
            StateCause::Call | StateCause::Hibernation | StateCause::Shutdown => true,
            StateCause::Ec2 => false,
        }
    }
}

impl From<&str> for StateReason {
    fn from(code: &str) -> StateReason {
        let cause = match code {
            "Client.UserInitiatedHibernate" => StateCause::Hibernation,
            "Client.InstanceInitiatedShutdown" => StateCause::Shutdown,
            code if code.starts_with("Client.UserInitiated") => StateCause::Call,
            _ => StateCause::Ec2,
        };
        StateReason { cause, code: code.to_string() }
    }
}
