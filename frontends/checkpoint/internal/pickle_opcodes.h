// The opcodes of pickles, from the description in Python's pickletools.
#pragma once

#include <cstdint>
#include <string_view>

namespace lathe::frontends::internal::op {

inline constexpr uint8_t kMark = '(', kStop = '.', kNone = 'N', kReduce = 'R', kBuild = 'b',
                         kGlobal = 'c', kAppend = 'a', kAppends = 'e', kSetItem = 's',
                         kSetItems = 'u', kTuple = 't', kEmptyTuple = ')', kEmptyList = ']',
                         kEmptyDict = '}', kBinInt = 'J', kBinInt1 = 'K', kBinInt2 = 'M',
                         kBinFloat = 'G', kBinUnicode = 'X', kBinString = 'T',
                         kShortBinString = 'U', kBinBytes = 'B', kShortBinBytes = 'C',
                         kBinPersId = 'Q', kBinPut = 'q', kLongBinPut = 'r', kBinGet = 'h',
                         kLongBinGet = 'j', kProto = 0x80, kTuple1 = 0x85, kTuple2 = 0x86,
                         kTuple3 = 0x87, kNewTrue = 0x88, kNewFalse = 0x89, kLong1 = 0x8a,
                         kLong4 = 0x8b, kShortBinUnicode = 0x8c, kBinUnicode8 = 0x8d,
                         kBinBytes8 = 0x8e, kStackGlobal = 0x93, kMemoize = 0x94, kFrame = 0x95;

// What an opcode that is refused would make; empty for bytes that are no opcode of protocols 2
// to 5.
constexpr std::string_view RefusedOpcode(uint8_t opcode) {
  switch (opcode) {
    case 0x81:
    case 0x92:
    case 'o':
    case 'i':
      return "an object of a class";
    case 0x82:
    case 0x83:
    case 0x84:
      return "an entry of Python's extension registry";
    case 0x8f:
    case 0x90:
    case 0x91:
      return "a set";
    case 0x96:
      return "a bytearray";
    case 0x97:
    case 0x98:
      return "an out-of-band buffer";
    case '0':
    case '1':
    case '2':
      return "a tuple that contains itself";
    case 'F':
    case 'I':
    case 'L':
    case 'P':
    case 'S':
    case 'V':
    case 'd':
    case 'g':
    case 'l':
    case 'p':
      return "an opcode of pickle protocol 0";
    default:
      return "";
  }
}

}  // namespace lathe::frontends::internal::op
