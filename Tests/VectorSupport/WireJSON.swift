import CJobBrokerProto
import CProtobufC

/// Messages as bytes and as the JSON of proto/vectors/README.md, by the schema's descriptors. It knows no message
/// and shares no code with the codec that it tests.
package struct WireJSON {
  package struct Failure: Error, CustomStringConvertible {
    package var description: String
  }

  private let descriptor: UnsafePointer<ProtobufCMessageDescriptor>

  package static var request: WireJSON {
    var message = Jobbroker__Request()
    jobbroker__request__init(&message)
    return WireJSON(descriptor: message.base.descriptor)
  }

  package static var response: WireJSON {
    var message = Jobbroker__Response()
    jobbroker__response__init(&message)
    return WireJSON(descriptor: message.base.descriptor)
  }

  private func nested(_ field: ProtobufCFieldDescriptor) -> WireJSON {
    WireJSON(descriptor: field.descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self))
  }

  private var fields: UnsafeBufferPointer<ProtobufCFieldDescriptor> {
    UnsafeBufferPointer(start: descriptor.pointee.fields, count: Int(descriptor.pointee.n_fields))
  }
}

extension WireJSON {
  /// The bytes of a message.
  package func bytes(_ json: JSON) throws -> [UInt8] {
    guard case .object(let members) = json else { throw Failure(description: "no message: \(json)") }
    var bytes: [UInt8] = []
    var known = 0
    for field in fields {
      guard let value = members[String(cString: field.name)] else { continue }
      known += 1
      if field.label == PROTOBUF_C_LABEL_REPEATED, case .array(let values) = value {
        for value in values { try append(value, of: field, to: &bytes) }
      } else {
        try append(value, of: field, to: &bytes)
      }
    }
    guard known == members.count else {
      throw Failure(description: "a field that is not in the schema: \(json)")
    }
    return bytes
  }

  private func append(_ value: JSON, of field: ProtobufCFieldDescriptor, to bytes: inout [UInt8]) throws {
    func tag(_ wireType: UInt64) { bytes += WireJSON.varint(UInt64(field.id) << 3 | wireType) }
    func block(_ content: [UInt8]) {
      tag(2)
      bytes += WireJSON.varint(UInt64(content.count)) + content
    }
    func number(_ value: UInt64) {
      tag(0)
      bytes += WireJSON.varint(value)
    }
    switch (field.type, value) {
    case (PROTOBUF_C_TYPE_MESSAGE, _): block(try nested(field).bytes(value))
    case (PROTOBUF_C_TYPE_STRING, .string(let text)): block(Array(text.utf8))
    case (PROTOBUF_C_TYPE_BYTES, .string(let text)):
      guard let content = Hex.bytes(text) else {
        throw Failure(description: "no hexadecimal digits: \(text)")
      }
      block(content)
    case (PROTOBUF_C_TYPE_ENUM, .string(let name)): number(try enumValue(name, of: field))
    case (PROTOBUF_C_TYPE_BOOL, .bool(let value)): number(value ? 1 : 0)
    case (PROTOBUF_C_TYPE_SINT32, .integer(let value)): number(UInt64(bitPattern: value << 1 ^ value >> 63))
    case (PROTOBUF_C_TYPE_DOUBLE, _):
      guard let value = value.double else { throw Failure(description: "no number: \(value)") }
      tag(1)
      withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
    case (_, .integer(let value)): number(UInt64(bitPattern: value))
    case (_, .unsigned(let value)): number(value)
    default: throw Failure(description: "\(String(cString: field.name)) can't be \(value)")
    }
  }

  private func enumValue(_ name: String, of field: ProtobufCFieldDescriptor) throws -> UInt64 {
    let descriptor = field.descriptor.assumingMemoryBound(to: ProtobufCEnumDescriptor.self)
    guard let value = protobuf_c_enum_descriptor_get_value_by_name(descriptor, name) else {
      throw Failure(description: "\(name) is no value of \(String(cString: descriptor.pointee.name))")
    }
    return UInt64(value.pointee.value)
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
  }
}

extension WireJSON {
  /// The JSON of a message's bytes; fields that are not in the schema are left out.
  package func json(_ bytes: some Collection<UInt8>) throws -> JSON {
    var members: [String: JSON] = [:]
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let tag = try WireJSON.takeVarint(from: &rest)
      guard let field = fields.first(where: { $0.id == tag >> 3 }) else {
        try WireJSON.skip(tag & 7, in: &rest)
        continue
      }
      let name = String(cString: field.name)
      let value = try take(field, from: &rest)
      if field.label != PROTOBUF_C_LABEL_REPEATED {
        members[name] = value
      } else if case .array(let values)? = members[name] {
        members[name] = .array(values + [value])
      } else {
        members[name] = .array([value])
      }
    }
    return .object(members)
  }

  private func take(_ field: ProtobufCFieldDescriptor, from rest: inout ArraySlice<UInt8>) throws -> JSON {
    switch field.type {
    case PROTOBUF_C_TYPE_MESSAGE: return try nested(field).json(WireJSON.takeBlock(from: &rest))
    case PROTOBUF_C_TYPE_STRING:
      guard let text = String(validating: try WireJSON.takeBlock(from: &rest), as: UTF8.self) else {
        throw Failure(description: "\(String(cString: field.name)) is not UTF-8")
      }
      return .string(text)
    case PROTOBUF_C_TYPE_BYTES: return .string(Hex.text(try WireJSON.takeBlock(from: &rest)))
    case PROTOBUF_C_TYPE_DOUBLE:
      let bits = try WireJSON.take(8, from: &rest).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      let value = Double(bitPattern: bits)
      return value.isFinite
        ? .real(value) : .string(value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity")
    default: break
    }
    let value = try WireJSON.takeVarint(from: &rest)
    switch field.type {
    case PROTOBUF_C_TYPE_BOOL: return .bool(value != 0)
    case PROTOBUF_C_TYPE_SINT32: return .integer(Int64(value >> 1) ^ -Int64(value & 1))
    case PROTOBUF_C_TYPE_ENUM:
      let descriptor = field.descriptor.assumingMemoryBound(to: ProtobufCEnumDescriptor.self)
      guard let name = protobuf_c_enum_descriptor_get_value(descriptor, Int32(truncatingIfNeeded: value))
      else {
        return .unsigned(value)
      }
      return .string(String(cString: name.pointee.name))
    case PROTOBUF_C_TYPE_INT32, PROTOBUF_C_TYPE_INT64: return .integer(Int64(bitPattern: value))
    default: return Int64(exactly: value).map(JSON.integer) ?? .unsigned(value)
    }
  }

  private static func takeVarint(from rest: inout ArraySlice<UInt8>) throws -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst() else { break }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw Failure(description: "a varint that does not end")
  }

  private static func takeBlock(from rest: inout ArraySlice<UInt8>) throws -> ArraySlice<UInt8> {
    try take(Int(clamping: takeVarint(from: &rest)), from: &rest)
  }

  private static func take(_ count: Int, from rest: inout ArraySlice<UInt8>) throws -> ArraySlice<UInt8> {
    guard count <= rest.count else { throw Failure(description: "a field that ends after its message") }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  private static func skip(_ wireType: UInt64, in rest: inout ArraySlice<UInt8>) throws {
    switch wireType {
    case 0: _ = try takeVarint(from: &rest)
    case 1: _ = try take(8, from: &rest)
    case 2: _ = try takeBlock(from: &rest)
    case 5: _ = try take(4, from: &rest)
    default: throw Failure(description: "wire type \(wireType)")
    }
  }
}
