export * from "@amityco/ts-sdk-react-native";
