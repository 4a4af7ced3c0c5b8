/// The version of JobBroker, which all its programs share, as semver.org has it.
public let jobBrokerVersion = "1.0.0"
