export const addEventListener = (listener) => {
  const tell = () => listener({ isConnected: navigator.onLine, isInternetReachable: navigator.onLine });
  tell();
  window.addEventListener("online", tell);
  window.addEventListener("offline", tell);
  return () => {
    window.removeEventListener("online", tell);
    window.removeEventListener("offline", tell);
  };
};
export const fetch = async () => ({ isConnected: navigator.onLine, isInternetReachable: navigator.onLine });
export default { addEventListener, fetch };
