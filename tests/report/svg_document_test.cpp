#include "tessera/report/svg_document.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

TEST(SvgDocumentTest, EscapesWhatAUserNamed) {
  SvgDocument picture(20, 10);
  picture.text({1, 2}, "a<b & c");
  EXPECT_NE(picture.to_string().find("a&lt;b &amp; c</text>"), std::string::npos);
}

TEST(SvgDocumentTest, ShapesStandInTheOrderOfTheCalls) {
  SvgDocument picture(20, 10);
  picture.rect({0, 0}, 5, 5, "#ff0000");
  picture.circle({1, 1}, 2, "blue");
  picture.tooltip("one & two");
  const std::string text = picture.to_string();
  EXPECT_LT(text.find("<rect"), text.find("<circle"));
  EXPECT_NE(text.find("<title>one &amp; two</title></circle>"), std::string::npos);
}

TEST(SvgDocumentTest, SaysItsSize) {
  const std::string text = SvgDocument(640, 480).to_string();
  EXPECT_NE(text.find(R"(viewBox="0 0 640.00 480.00")"), std::string::npos);
  EXPECT_TRUE(text.ends_with("</svg>\n"));
}

}  // namespace
}  // namespace tessera
