import CJobBrokerProto
import CProtobufC
import JobModel

/// One field of a message that is being read, as errors name it. Its path is put together only for an error.
struct Field {
  private let message: StaticString
  private let index: Int?
  private let name: StaticString

  /// The field `name` of a message, or of the element `index` of a repeated one.
  init(_ message: StaticString, _ name: StaticString, index: Int? = nil) {
    self.message = message
    self.index = index
    self.name = name
  }

  /// As in `create.jobs[3].type`.
  var path: String {
    if let index { "\(message)[\(index)].\(name)" } else { "\(message).\(name)" }
  }

  /// INVALID_ARGUMENT: the path, then what is wrong, which ends without its full stop.
  func invalid(_ reason: String) -> JobError { JobError(.invalidArgument, "\(path) \(reason).") }

  /// The field is needed and absent.
  var missing: JobError { invalid("is missing") }
}

/// A C string as protobuf-c unpacks it; nil when the field is absent.
typealias WireText = UnsafeMutablePointer<CChar>?

extension Field {
  /// The id of a job.
  func jobID(_ isPresent: protobuf_c_boolean, _ bytes: ProtobufCBinaryData) throws(JobError) -> JobID {
    guard isPresent != 0 else { throw missing }
    return try jobID(bytes)
  }

  /// The id of a job that is present.
  func jobID(_ bytes: ProtobufCBinaryData) throws(JobError) -> JobID {
    guard let id = JobID(bytes: UnsafeRawBufferPointer(start: bytes.data, count: bytes.len)) else {
      throw invalid("is \(bytes.len) bytes long; a job's id is the 16 bytes of a UUID")
    }
    return id
  }

  /// A status that may be absent.
  func status(_ isPresent: protobuf_c_boolean, _ value: Jobbroker__Status) throws(JobError) -> JobStatus? {
    guard isPresent != 0 else { return nil }
    guard let status = JobStatus(value) else {
      throw JobError(.unsupported, "\(path) is \(value.rawValue), a status that this version does not know.")
    }
    return status
  }

  /// Why an attempt ended.
  func cause(_ value: Jobbroker__Cause) throws(JobError) -> AttemptCause {
    guard let cause = AttemptCause(value) else {
      throw JobError(.unsupported, "\(path) is \(value.rawValue), a cause that this version does not know.")
    }
    return cause
  }
}
